# Guests: the modules that tests and the demo run, built from source here. A toolchain that is not installed leaves its
# guests out; the tests that need them skip by name.

WASI_LIBC   := $(wildcard /usr/lib/wasm32-wasi/libc.a)
# Debian 12's target is wasm32-wasi, Debian 13's wasm32-wasip1; Debian's rustc by its path, since rustup's may stand earlier
RUST_TARGET := $(notdir $(firstword $(wildcard /usr/lib/rustlib/wasm32-wasi*)))
RUSTC       := /usr/bin/rustc

GUEST_C     := $(patsubst tests/guests/%.c,$(BUILD)/guests/%.wasm,$(wildcard tests/guests/*.c))
GUEST_RUST  := $(patsubst tests/guests/%.rs,$(BUILD)/guests/%.wasm,$(wildcard tests/guests/*.rs))

.PHONY: guests
guests: $(if $(WASI_LIBC),$(GUEST_C)) $(if $(RUST_TARGET),$(GUEST_RUST)) $(BUILD)/guests/hello-native

$(GUEST_C): $(BUILD)/guests/%.wasm: tests/guests/%.c
	@mkdir -p $(@D)
	$(call say,CC)clang --target=wasm32-wasi -O2 -Wall -Wl,--strip-debug -o $@ $<
$(GUEST_RUST): $(BUILD)/guests/%.wasm: tests/guests/%.rs
	@mkdir -p $(@D)
	$(call say,CC)$(RUSTC) --target=$(RUST_TARGET) -O -C strip=debuginfo -o $@ $<
# the same C source as an ordinary program, for tests that compare the two kinds
$(BUILD)/guests/hello-native: tests/guests/hello.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -static -O2 -Wall -o $@ $<
