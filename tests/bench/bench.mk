# Benchmarks: separate from the tests; they print ratios from interleaved runs and draw a picture.

BENCH_PROGRAMS := $(addprefix $(BUILD)/bench/,floor starts runs filter big_module)
BENCH_MUSL     := $(MUSL_CC) -std=gnu17 -O2 -Wall -Wextra -Wno-unused-parameter -D_GNU_SOURCE -isystem $(BUILD)/musl-include

# static musl, like nothing else here links less: see docs/RATIONALE.md for what each libc costs
$(BUILD)/bench/floor: tests/bench/floor.c | $(BUILD)/musl-include
	@mkdir -p $(@D)
	$(call say,CC)$(BENCH_MUSL) -fPIE $(MUSL_STATIC) -o $@ $< $(MUSL_STATIC_END)
$(BUILD)/bench/starts $(BUILD)/bench/runs: $(BUILD)/bench/%: tests/bench/%.c | $(BUILD)/musl-include
	@mkdir -p $(@D)
	$(call say,CC)$(BENCH_MUSL) -fPIE $(MUSL_STATIC) -o $@ $< $(MUSL_STATIC_END)
# the 10 MB module of the starts, made by a program of the build machine
$(BUILD)/bench/big_module: tests/bench/big_module.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -O2 -Wall -Wextra -o $@ $<
$(BUILD)/bench/filter: tests/bench/filter.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -O2 -Wall -Wextra -o $@ $< -lseccomp

# the shim that does nothing, of libshim's own parts
$(BUILD)/bench/shim_nothing: tests/bench/shim_nothing.c $(BUILD)/libshim.a
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(GLIBC) $(STATIC) -o $@ $(filter %.c %.a,$^) -lprotobuf-c -lnettle

.PHONY: bench bench-engine bench-compile bench-libc bench-shim
## bench        container starts: wherry, runc, crun and the floor; table and picture (root; ROUNDS, GAP_MS); then bench-shim
bench: all guests $(BENCH_PROGRAMS) $(BUILD)/bench/shim_nothing
	@tests/packages/install build test
	@BUILD=$(BUILD) tests/bench/starts.sh
	@BUILD=$(BUILD) tests/bench/shim.sh

## bench-systemd starts with the systemd cgroup driver, in the guest of check-vm-systemd (its table is in build/vm/logs)
.PHONY: bench-systemd
bench-systemd: all $(BENCH_PROGRAMS)
	@tests/packages/install build test vm
	@BUILD=$(BUILD) tests/vm/systemd.sh tests/bench/systemd.sh
	@cat $(BUILD)/vm/logs/tests-bench-systemd.sh.log

## bench-shim   under containerd: CPU and time of ctr run, memory, many at once, next to the runc shim (root; ROUNDS, PODS)
bench-shim: all guests $(BUILD)/bench/shim_nothing
	@BUILD=$(BUILD) tests/bench/shim.sh

## bench-libc   what musl, static and dynamic glibc cost a short-lived program (docs/RATIONALE.md)
bench-libc: $(BENCH_PROGRAMS)
	@BUILD=$(BUILD) MUSL_LINK="$(MUSL_STATIC)" MUSL_LINK_END="$(MUSL_STATIC_END)" tests/bench/libc.sh

## bench-engine the nine shared kernels against native code (KERNELS="fib sha256", ROUNDS, SIMD=1); validation and compilation
bench-engine: all $(BENCH_PROGRAMS) $(BUILD)/bench/compile
	@BUILD=$(BUILD) tests/bench/engine.sh
	@BUILD=$(BUILD) tests/bench/compile.sh

## bench-compile only the latter: MB of code section a second beside V8's (MODULES, ROUNDS, NODE)
bench-compile: $(BUILD)/bench/compile
	@BUILD=$(BUILD) tests/bench/compile.sh

## bench-programs SQLite, Lua, Zstandard, cJSON and PCRE2 as modules against native and wasmtime (PROGRAMS="sqlite lua", ROUNDS)
.PHONY: bench-programs
bench-programs: all $(BENCH_PROGRAMS)
	@tests/packages/install build test bench
	@BUILD=$(BUILD) tests/bench/programs.sh

## bench-tier   a container from a cold cache over its first minute, moving to optimized code or not; the kernels so (root; SECONDS_RUN, ROUNDS)
.PHONY: bench-tier
bench-tier: all $(BENCH_PROGRAMS)
	@BUILD=$(BUILD) tests/bench/tier.sh

## bench-pods   pods on a real node: API to Ready, memory of idle ones, by runtime (ROUNDS, PODS, KINDS; needs what make check-k8s builds)
.PHONY: bench-pods
bench-pods: all guests
	@tests/k8s/build > /dev/null
	-@tests/k8s/peers > /dev/null
	@BUILD=$(BUILD) tests/bench/pods.sh

$(BUILD)/bench/validate: tests/bench/validate.c $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK) -lm

## bench-validate throughput of the validator: make bench-validate MODULES="a.wasm b.wasm"
.PHONY: bench-validate
bench-validate: $(BUILD)/bench/validate
	@$< $(MODULES)

# linked like the compile worker
$(BUILD)/bench/compile: $(BUILD)/obj/musl/tests/bench/compile.o $(HEAP_OBJ) $(BUILD)/libengine-musl.a
	@mkdir -p $(@D)
	$(call say,LD)$(MUSL_CC) $(MUSL_STATIC) $(HEAP_WRAP) -o $@ $^ $(MUSL_STATIC_END)

$(BUILD)/bench/gc: tests/bench/gc/gc.c $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK) -lm

.PHONY: bench-gc
## bench-gc     garbage collection, both compilers, against Node's V8: throughput and pauses (ROUNDS; NODE=, WASM_AS= name the programs)
bench-gc: $(BUILD)/bench/gc
	@BUILD=$(BUILD) tests/bench/gc/gc.sh
