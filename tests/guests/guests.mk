# Guests: the modules that tests and the demo run, built from source here. A toolchain that is not installed leaves its
# guests out; the tests that need them skip by name.

WASI_LIBC   := $(wildcard /usr/lib/wasm32-wasi/libc.a)
# Debian 12's target is wasm32-wasi, Debian 13's wasm32-wasip1; Debian's rustc by its path, since rustup's may stand earlier.
# Linked by clang's wasm-ld: Debian 13 has rustc's rust-lld in a package of its own.
RUST_TARGET := $(notdir $(firstword $(wildcard /usr/lib/rustlib/wasm32-wasi*)))
RUSTC       := /usr/bin/rustc

# Go has wasip1 since 1.21 (Debian 13; 12's is older)
GO_WASI     := $(wildcard $(if $(shell command -v go),$(shell go env GOROOT)/src/syscall/fs_wasip1.go))

GUEST_C     := $(patsubst tests/guests/%.c,$(BUILD)/guests/%.wasm,$(wildcard tests/guests/*.c))
GUEST_CXX   := $(patsubst tests/guests/%.cpp,$(BUILD)/guests/%.wasm,$(wildcard tests/guests/*.cpp))
GUEST_GO    := $(patsubst tests/guests/%.go,$(BUILD)/guests/%.wasm,$(wildcard tests/guests/*.go))
GUEST_RUST  := $(patsubst tests/guests/%.rs,$(BUILD)/guests/%.wasm,$(wildcard tests/guests/*.rs))

GUEST_THREADS := $(BUILD)/guests/threads.wasm

# linked without -O: with it clang runs a wasm-opt that it finds, which takes the names away that backtraces show
WASM_LINK   := clang --target=wasm32-wasi -Wl,--strip-debug

.PHONY: guests
guests: $(if $(WASI_LIBC),$(GUEST_C) $(GUEST_CXX) $(GUEST_THREADS)) $(if $(GO_WASI),$(GUEST_GO)) $(if $(RUST_TARGET),$(GUEST_RUST)) $(BUILD)/guests/hello-native

$(GUEST_C): $(BUILD)/guests/%.wasm: tests/guests/%.c
	@mkdir -p $(@D)
	$(call say,CC)clang --target=wasm32-wasi -O2 -Wall -c -o $(@:.wasm=.o) $< && $(WASM_LINK) -o $@ $(@:.wasm=.o)
$(GUEST_CXX): $(BUILD)/guests/%.wasm: tests/guests/%.cpp
	@mkdir -p $(@D)
	$(call say,CC)clang++ --target=wasm32-wasi -O2 -std=c++17 -fno-exceptions -c -o $(@:.wasm=.o) $< && $(subst clang,clang++,$(WASM_LINK)) -o $@ $(@:.wasm=.o)
$(GUEST_GO): $(BUILD)/guests/%.wasm: tests/guests/%.go
	@mkdir -p $(@D)
	$(call say,GO)GOCACHE=$(abspath $(BUILD))/go-cache GO111MODULE=off GOFLAGS= GOOS=wasip1 GOARCH=wasm go build -o $@ $<
# no library: Debian's is built without atomics
$(GUEST_THREADS): tests/guests/threads/threads.c tests/guests/threads/start.s
	@mkdir -p $(@D)
	$(call say,CC)for source in $^; do clang --target=wasm32-wasi -O2 -Wall -matomics -mbulk-memory -c -o $(@D)/$$(basename $$source).o $$source || exit; done && \
	    $(WASM_LINK),--import-memory,--shared-memory,--max-memory=16777216 -nostdlib -o $@ $(patsubst %,$(@D)/%.o,$(notdir $^))
$(GUEST_RUST): $(BUILD)/guests/%.wasm: tests/guests/%.rs
	@mkdir -p $(@D)
	$(call say,CC)$(RUSTC) --target=$(RUST_TARGET) -C linker=wasm-ld -C linker-flavor=wasm-ld -O -C strip=debuginfo -o $@ $<
# the same C source as an ordinary program, for tests that compare the two kinds
$(BUILD)/guests/hello-native: tests/guests/hello.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -static -O2 -Wall -o $@ $<
