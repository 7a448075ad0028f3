//! Modules of wasm-smith for tests/fuzz/smith.c: for each request on standard input (a seed of 8 bytes, flags of 4) one
//! module on standard output, its length of 4 bytes first. All little-endian. Flag 1: also what V8 lacks.
use std::io::{self, Read, Write};
use wasm_smith::{Config, Module};

const FUEL: u32 = 1000; // instructions of loops and calls in a module's life; recursion stays within every engine's stack
const BYTES_MAX: u64 = 3000;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn bit(&mut self) -> bool {
        self.next() & 1 != 0
    }
}

fn config(random: &mut Random, all: bool) -> Config {
    Config {
        export_everything: true,
        canonicalize_nans: true,
        max_imports: 0,
        min_funcs: 2,
        max_funcs: 12,
        min_types: 4,
        max_types: 24,
        max_memories: if random.bit() { 1 } else { 2 },
        max_memory32_bytes: 4 << 16,
        max_memory64_bytes: 4 << 16,
        memory_max_size_required: true,
        max_tables: 3,
        max_table_elements: 100,
        table_max_size_required: true,
        max_tags: 4,
        max_instructions: 120,
        relaxed_simd_enabled: false, // its results are open
        threads_enabled: false,      // nobody would wake a waiter
        gc_enabled: random.bit(),
        exceptions_enabled: random.bit(),
        simd_enabled: random.bit(),
        tail_call_enabled: random.bit(),
        memory64_enabled: random.bit(),
        wide_arithmetic_enabled: all,
        custom_page_sizes_enabled: all && random.bit(),
        ..Config::default()
    }
}

/// Some bytes do not suffice for a module: then others.
fn module(seed: u64, all: bool) -> Vec<u8> {
    let mut random = Random(seed);
    loop {
        let config = config(&mut random, all);
        let len = 200 + random.next() % BYTES_MAX;
        let bytes: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
        let mut unstructured = arbitrary::Unstructured::new(&bytes);
        if let Ok(mut module) = Module::new(config, &mut unstructured) {
            if module.ensure_termination(FUEL).is_ok() {
                return module.to_bytes();
            }
        }
    }
}

fn main() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut request = [0; 12];
    while input.read_exact(&mut request).is_ok() {
        let seed = u64::from_le_bytes(request[..8].try_into().unwrap());
        let bytes = module(seed, request[8] & 1 != 0);
        output.write_all(&(bytes.len() as u32).to_le_bytes())?;
        output.write_all(&bytes)?;
        output.flush()?;
    }
    Ok(())
}
