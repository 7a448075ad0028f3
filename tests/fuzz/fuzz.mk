# Fuzzing. tests/fuzz/fuzz_X.c is one target: libFuzzer's entry for one reader of hostile bytes, linked twice with our sources.
#
# `checked` has ASan, UBSan and libFuzzer, and finds ways in; `fast` has assertions, UBSan's traps and our own driver, which
# changes what the other found at random, and adds up executions. Both use the same corpus (tests/fuzz/run).

FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CC      ?= clang
FUZZ_COMMON  := $(filter-out -Werror,$(GLIBC)) -U_FORTIFY_SOURCE -DFUZZING
# not pointer-overflow, whose only finding is NULL + 0 for what is empty: defined in C++, in C since N3322, and in every compiler
FUZZ_checked := $(FUZZ_COMMON) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=pointer-overflow \
                -fno-sanitize-recover=undefined
FUZZ_fast    := $(FUZZ_COMMON) -fsanitize=bounds,integer-divide-by-zero,null,shift,signed-integer-overflow,unreachable -fsanitize-trap=all
FUZZ_LINK_checked := -fsanitize=fuzzer,address,undefined
FUZZ_LINK_fast    :=
FUZZ_MAIN_fast    := tests/fuzz/driver.c
FUZZ_LIBS    := -lyajl -lcap -lnettle -lprotobuf-c -lnghttp2 -lz -lm
SECONDS      ?= 60

# $(1): the build. The archive keeps out of a fuzzer what its target does not reach; the shim first, whose options_read is not oci's.
define FUZZ_BUILD
$(BUILD)/fuzz/$(1)/obj/%.o: %.c | $(PROTO_C)
	@mkdir -p $$(@D)
	$$(call say,FUZZ)$(FUZZ_CC) $(FUZZ_$(1)) -MMD -MP -c $$< -o $$@
$(BUILD)/fuzz/$(1)/obj/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $$(@D)
	$$(call say,FUZZ)$(FUZZ_CC) $$(filter-out -Wmissing-prototypes,$(FUZZ_$(1))) -c $$< -o $$@
$(BUILD)/fuzz/$(1)/libwherry.a: $(patsubst %.c,$(BUILD)/fuzz/$(1)/obj/%.o,$(SHIM_SRC) $(OCI_SRC) $(ENGINE_SRC)) \
                                $(patsubst $(BUILD)/%.c,$(BUILD)/fuzz/$(1)/obj/%.o,$(PROTO_C)) $(BUILD)/fuzz/$(1)/obj/gen/engine_build_id.o
	@rm -f $$@
	$$(call say,AR)$(AR) rcs $$@ $$^
$(BUILD)/fuzz/$(1)/%: $(BUILD)/fuzz/$(1)/obj/tests/fuzz/fuzz_%.o $(patsubst %.c,$(BUILD)/fuzz/$(1)/obj/%.o,$(FUZZ_MAIN_$(1))) $(BUILD)/fuzz/$(1)/libwherry.a
	$$(call say,LD)$(FUZZ_CC) $(FUZZ_LINK_$(1)) -pie -o $$@ $$^ $(FUZZ_LIBS)
-include $(shell [ -d $(BUILD)/fuzz/$(1)/obj ] && find $(BUILD)/fuzz/$(1)/obj -name '*.d')
endef
$(eval $(call FUZZ_BUILD,checked))
$(eval $(call FUZZ_BUILD,fast))
.SECONDARY:

# what was found, as a test: the targets as the rest of the tests are built, with our driver; all of them, so that none gets out of date
FUZZ_FOUND := $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/%)
$(FUZZ_FOUND): $(BUILD)/tests/fuzz/%: tests/fuzz/fuzz_%.c tests/fuzz/driver.c $(BUILD)/libshim.a $(BUILD)/liboci.a $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK) $(FUZZ_LIBS)
-include $(FUZZ_FOUND:=.d)

# our compilers against each other and against V8 (node) or wasmtime: no libFuzzer, since what varies are seeds
FUZZ_GENERATOR := $(addprefix tests/fuzz/,variant.c generate.c generate_code.c generate_loop.c generate_object.c generate_unwind.c)
$(BUILD)/fuzz/differential $(BUILD)/fuzz/smith: $(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_GENERATOR) $(BUILD)/libengine.a $(wildcard tests/fuzz/*.h)
	@mkdir -p $(@D)
	$(TEST_LINK) -lz -lm

# wasm-smith of crates.io; Debian 12's own Rust is too old for it, its package cargo-web is not
SMITH := $(or $(WHERRY_TEST_CACHE),$(HOME)/.cache/wherry-tests)/smith
$(BUILD)/fuzz/smith: | $(SMITH)/release/smith
$(SMITH)/release/smith: tests/fuzz/smith/Cargo.toml tests/fuzz/smith/src/main.rs
	cd tests/fuzz/smith && CARGO_TARGET_DIR=$(SMITH) cargo build --locked --release
	@touch $@

.PHONY: fuzz fuzz-build fuzz-total fuzz-packages
fuzz-packages:
	@tests/packages/install fuzz
fuzz-build: all fuzz-packages $(BUILD)/fuzz/differential $(BUILD)/fuzz/smith $(foreach t,$(FUZZ_TARGETS),$(BUILD)/fuzz/checked/$(t) $(BUILD)/fuzz/fast/$(t))
## fuzz         make fuzz TARGET=module SECONDS=60: half of the time with sanitizers, half for speed (also differential, passes, smith; none: all parsers)
fuzz: all fuzz-packages $(if $(filter differential passes smith,$(TARGET)),$(BUILD)/fuzz/$(TARGET:passes=differential),$(foreach t,$(or $(TARGET),$(FUZZ_TARGETS)),$(BUILD)/fuzz/checked/$(t) $(BUILD)/fuzz/fast/$(t)))
	@BUILD=$(BUILD) SMITH=$(SMITH)/release/smith tests/fuzz/run $(SECONDS) $(or $(TARGET),$(FUZZ_TARGETS))
## fuzz-total   what fuzzing has run so far, by target
fuzz-total:
	@tests/fuzz/total
