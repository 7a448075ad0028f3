# Tests. Every test is an executable that prints TAP; tests/run adds them up and ends with "N passed, N failed, N skipped".
# tests/unit/FOLDER/test_X.c becomes build/tests/unit/FOLDER/test_X, linked with the archives of that folder and below.

UNIT_ENGINE := $(wildcard tests/unit/base/test_*.c tests/unit/engine/test_*.c)
UNIT_OCI    := $(wildcard tests/unit/oci/test_*.c)
UNIT_SHIM   := $(wildcard tests/unit/shim/test_*.c)
UNIT_BIN    := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_ENGINE) $(UNIT_OCI) $(UNIT_SHIM))

TEST_LINK = $(call say,CC)$(CC) $(GLIBC) -pie $(if $(SANITIZE),-fsanitize=address$(comma)undefined) -MMD -MP -o $@ $(filter %.c %.o %.a,$^)

$(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_ENGINE)): $(BUILD)/tests/%: tests/%.c $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK) -lcmocka -lnettle -lm
$(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_OCI)): $(BUILD)/tests/%: tests/%.c $(BUILD)/liboci.a $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK) -lcmocka -lyajl -lcap -lnettle -lz -lm
$(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_SHIM)): $(BUILD)/tests/%: tests/%.c $(BUILD)/libshim.a $(BUILD)/liboci.a $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK) -lcmocka -lyajl -lcap -lnettle -lprotobuf-c -lnghttp2 -lm
-include $(UNIT_BIN:=.d)

# the encoder of the architecture that this build may not be for
$(BUILD)/tests/unit/engine/test_a64_enc: engine/a64/enc.c

# what only `wherry` and the compile worker are linked with
$(BUILD)/tests/unit/oci/test_heap: oci/heap.c

# the client with which the end-to-end tests drive the shim without a containerd
SHIM_CLIENT := $(BUILD)/tests/e2e/shim_client
$(SHIM_CLIENT): tests/e2e/shim_client.c tests/e2e/shim_call.c $(BUILD)/libshim.a
	@mkdir -p $(@D)
	$(TEST_LINK) -lprotobuf-c -lnettle
# the shim's daemon with allocations that fail
SHIM_MEMORY := $(BUILD)/tests/e2e/shim_memory
$(SHIM_MEMORY): tests/e2e/shim_memory.c tests/e2e/shim_call.c $(BUILD)/libshim.a $(BUILD)/liboci.a $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK) $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc strdup strndup) \
	    -lyajl -lcap -lnettle -lprotobuf-c -lnghttp2 -lm
-include $(SHIM_CLIENT:=.d) $(SHIM_MEMORY:=.d)
SHIM_CLIENT += $(SHIM_MEMORY)

# what answers for a container's system calls in tests/e2e/seccomp.sh
SECCOMP_AGENT := $(BUILD)/tests/e2e/seccomp_agent
$(SECCOMP_AGENT): tests/e2e/seccomp_agent.c
	@mkdir -p $(@D)
	$(TEST_LINK)
-include $(SECCOMP_AGENT:=.d)

# both ends of sd_notify for tests/e2e/notify.sh, and what takes system calls away for old_kernels.sh
E2E_STATIC := $(BUILD)/tests/e2e/notify_peer $(BUILD)/tests/e2e/without
$(E2E_STATIC): $(BUILD)/tests/e2e/%: tests/e2e/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu17 -O2 $(WARN) -D_GNU_SOURCE -static -o $@ $<

# what critest needs: its images' program, and the registry that they come from
CRI_PROGRAMS := $(BUILD)/tests/cri/program $(BUILD)/tests/cri/registry
$(CRI_PROGRAMS): $(BUILD)/tests/cri/%: tests/cri/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu17 -O2 $(WARN) -D_GNU_SOURCE -static -o $@ $<

# the program that stops a command at each of its system calls
KILL_WALK := $(BUILD)/tests/e2e/kill_walk
$(KILL_WALK): tests/e2e/kill_walk.c
	@mkdir -p $(@D)
	$(TEST_LINK)
-include $(KILL_WALK:=.d)

# what tests/e2e/cache.sh puts in the engine's place
HOSTILE_ENGINE := $(BUILD)/tests/e2e/hostile_engine
$(HOSTILE_ENGINE): tests/e2e/hostile_engine.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -O2 -Wall -Wextra -static -o $@ $<

# the front test: the specification's suite through decoder and validator, nothing run
SPEC_FRONT := $(BUILD)/tests/spec/front
$(SPEC_FRONT): tests/spec/front.c tests/spec/json.c $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK)
-include $(SPEC_FRONT).d

# IR as text, over all functions of the suites' modules
IR_TEXT := $(BUILD)/tests/spec/ir_text
$(IR_TEXT): tests/spec/ir_text.c $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK)
-include $(IR_TEXT).d

# The runner of the core specification's tests.
SUITE_BIN := $(BUILD)/tests/spec/spec
$(BUILD)/tests/spec/spec: $(addprefix tests/spec/,spec.c script.c value.c spectest.c json.c) $(BUILD)/libengine.a $(addprefix tests/spec/,spec.h json.h overtaken.h)
	@mkdir -p $(@D)
	$(CC) $(GLIBC) $(if $(CROSS),$(STATIC),-pie) $(if $(SANITIZE),-fsanitize=address$(comma)undefined) -o $@ $(filter %.c %.a,$^) -lm

# the engine for aarch64, by a make of its own, where Debian's cross compiler is installed
A64_COMMAND := $(BUILD)/tests/a64/command
$(A64_COMMAND): tests/a64/command.c $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(CC) $(GLIBC) $(if $(CROSS),$(STATIC),-pie) -o $@ $^ -lm
# of the target's own code, so only in a build for it
A64_LOOK := $(BUILD)/tests/a64/look
$(A64_LOOK): tests/a64/look.c $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(CC) $(GLIBC) $(STATIC) -o $@ $^ -lm
A64_FAR := $(BUILD)/tests/a64/far
$(A64_FAR): tests/a64/far.c
	@mkdir -p $(@D)
	$(TEST_LINK)
-include $(A64_FAR:=.d)
.PHONY: a64
## a64          the engine and its tests for aarch64, into build/aarch64 (the same as make ARCH=aarch64)
a64:
	@if command -v aarch64-linux-gnu-gcc > /dev/null; then $(MAKE) --no-print-directory ARCH=aarch64; \
	else echo "a64: Debian's gcc-aarch64-linux-gnu is not installed"; fi

# golden tests: tests/golden/X.c compares every tests/golden/X/*.txt
GOLDEN_BIN := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/golden/*.c))
$(GOLDEN_BIN): $(BUILD)/tests/%: tests/%.c $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK) -lm
-include $(GOLDEN_BIN:=.d)

include tests/guests/guests.mk
include tests/fuzz/fuzz.mk
include tests/bench/bench.mk

# --- what `make check` runs -------------------------------------------------------------------------------------------
# Cheap first. Each entry is an executable that prints TAP or a "N passed, N failed, N skipped" line, and that skips by
# name, with the reason, what this machine cannot do (no root, a package or a suite missing).
FAST   := tests/layers.sh $(UNIT_BIN) $(GOLDEN_BIN) $(wildcard tests/fast/*.sh)
SUITES := $(wildcard tests/spec/validate.sh tests/spec/ir_text.sh tests/spec/run.sh tests/spec/collect.sh tests/wasi/run.sh tests/threads/run.sh \
                     tests/a64/spec.sh tests/a64/guests.sh tests/real/run.sh tests/cri/run.sh tests/k8s/run.sh)
E2E    := $(wildcard tests/e2e/*.sh)

RUN := CMOCKA_MESSAGE_OUTPUT=TAP BUILD=$(BUILD) tests/run

.PHONY: suite-validate suite-oci suite-spec-a64 suite-a64 check-fast check check-installed check-e2e check-vm check-vm-systemd check-k8s sanitize sanitize-all t packages
## check-fast   unit tests and the layers test: no root, under a minute
check-fast: all $(UNIT_BIN) $(GOLDEN_BIN) $(FUZZ_FOUND)
	@$(RUN) $(FAST)

## check        every test that this machine can run; installs missing Debian packages first
check: packages
	@$(MAKE) --no-print-directory check-installed
check-installed: all guests a64 $(A64_FAR) $(SHIM_CLIENT) $(HOSTILE_ENGINE) $(BUILD)/bench/big_module $(SECCOMP_AGENT) $(E2E_STATIC) $(KILL_WALK) $(CRI_PROGRAMS) $(UNIT_BIN) $(GOLDEN_BIN) $(FUZZ_FOUND) $(SPEC_FRONT) $(IR_TEXT) $(SUITE_BIN)
	@$(RUN) $(FAST) $(SUITES) $(E2E)

## check-e2e    only the end-to-end tests (containers; root)
check-e2e: all guests $(SHIM_CLIENT) $(HOSTILE_ENGINE) $(BUILD)/bench/big_module $(SECCOMP_AGENT) $(E2E_STATIC) $(KILL_WALK) $(CRI_PROGRAMS)
	@$(RUN) $(E2E)

## check-vm     the end-to-end tests in a cgroup v2 guest (user-mode Linux, this machine's own root, no disk image)
check-vm: all guests $(CRI_PROGRAMS) $(E2E_STATIC) $(SECCOMP_AGENT) $(KILL_WALK) $(HOSTILE_ENGINE) $(BUILD)/bench/big_module
	@tests/packages/install build test vm
	@TEST_TIMEOUT_S=7200 $(RUN) tests/vm/run.sh

## check-vm-systemd  the same with systemd as the guest's pid 1: its cgroup driver, and a Kubernetes node (what check-k8s builds) that uses it
check-vm-systemd: all guests
	@tests/packages/install build test vm
	@TEST_TIMEOUT_S=7200 $(RUN) tests/vm/systemd.sh

## check-vm-qemu  a few end-to-end tests under Debian's kernel in qemu, for what user-mode Linux lacks
.PHONY: check-vm-qemu
check-vm-qemu: all guests
	@tests/packages/install build test vm-qemu
	@TEST_TIMEOUT_S=1800 $(RUN) tests/vm/qemu.sh

## check-k8s    a Kubernetes node over wherry: builds what it needs once (Go's toolchain, ten minutes), then runs all of tests/k8s
check-k8s: all guests
	@tests/k8s/build > /dev/null
	@K8S_CASES=all TEST_TIMEOUT_S=1800 $(RUN) tests/k8s/run.sh

## suite-NAME   one outside suite: validate, spec, spec-a64, wasi, threads, oci, cri (its folder by SUITE=DIR, else ../shared/suites)
suite-validate: $(SPEC_FRONT)
	@$(RUN) tests/spec/validate.sh
# with the results of runc and crun beside ours
suite-oci: all
	@RUNTIMES="$${RUNTIMES:-wherry runc crun}" TEST_TIMEOUT_S=7200 $(RUN) tests/oci/run.sh; status=$$?; \
	sed -n 's/^# \(.* with .*: .*passed\)/\1/p' $(BUILD)/tests/logs/tests-oci-run.sh.log; exit $$status
# the aarch64 back end under qemu-user: the specification's tests, and programs
suite-spec-a64: all a64
	@TEST_TIMEOUT_S=3600 $(RUN) tests/a64/spec.sh
suite-a64: all a64 guests $(A64_FAR)
	@TEST_TIMEOUT_S=3600 $(RUN) tests/a64/spec.sh tests/a64/guests.sh
suite-%: all guests $(SUITE_BIN) $(CRI_PROGRAMS)
	@$(RUN) tests/$*/run.sh

## sanitize     under ASan and UBSan: unit tests, the specification's suite by both compilers in both forms of bounds checks, WASI, threads
sanitize: all
	@$(MAKE) --no-print-directory SANITIZE=1 sanitize-all
# The compile worker is the ordinary one (its limits leave no room for ASan's shadow), and the engine is not confined by its
# filter; what both compilers do is seen in the specification's suite. Programs that end by exit leave their memory to it.
sanitize-all: all guests $(UNIT_BIN) $(GOLDEN_BIN) $(FUZZ_FOUND) $(SPEC_FRONT) $(SUITE_BIN)
	@cp $(dir $(BUILD))libexec/wherry/compile $(BUILD)/libexec/wherry/compile
	@status=0; export CONFINED= ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1; \
	$(RUN) $(UNIT_BIN) $(GOLDEN_BIN) tests/fast/fuzz_found.sh tests/spec/validate.sh tests/spec/collect.sh \
	    tests/wasi/run.sh tests/threads/run.sh || status=1; \
	for compiler in baseline optimizing; do for checks in "" 1; do \
	    COMPILER=$$compiler EXPLICIT_CHECKS=$$checks $(RUN) tests/spec/run.sh || status=1; done; done; exit $$status

## t            one test: make t T=tests/e2e/podman.sh, or T=unit/oci/test_config
t: all guests $(CRI_PROGRAMS) $(SECCOMP_AGENT) $(E2E_STATIC) $(KILL_WALK) $(HOSTILE_ENGINE) $(BUILD)/bench/big_module $(UNIT_BIN)
	@$(RUN) $(firstword $(wildcard $(T) tests/$(T) $(BUILD)/tests/$(T)) $(T))

.PHONY: demo demo-installed
## demo         a Wasm image and an ordinary one run side by side; installs missing Debian packages first (root)
demo: packages
	@$(MAKE) --no-print-directory demo-installed
demo-installed: all guests $(BENCH_PROGRAMS)
	@BUILD=$(BUILD) tests/demo.sh

## bless        rewrites golden expectations by what is printed now: make bless T=decode
.PHONY: bless
bless: $(BUILD)/tests/golden/$(T)
	BLESS=1 $<

packages:
	@tests/packages/install build test

## lint         formatting (clang-format) and clang-tidy over our C
.PHONY: lint
lint:
	@tests/packages/install lint
	@$(RUN) tests/lint.sh

.PHONY: help
## help         this list
help:
	@sed -n 's/^## /  make /p' $(MAKEFILE_LIST) | sort
