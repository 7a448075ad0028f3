# wherry: one GNU Makefile, no generated build. `make help` lists the targets.
#
# Layout of what is built: libengine (engine/), liboci (oci/), libshim (shim/) as static archives, once per libc flavour;
# each program is one main_*.c plus the archives below it, so a program holds only what it reaches.

VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
MUSL_CC ?= musl-gcc
AR      ?= ar
OBJCOPY ?= objcopy
# ARCH=aarch64 on another machine: the engine's programs and the spec suite's runner, by Debian's cross compiler, static, into
# build/aarch64 (docs/HACKING.md). What needs more libraries than a libc is not built so.
MACHINE := $(shell uname -m)
ARCH    ?= $(MACHINE)
CROSS   := $(if $(filter $(MACHINE),$(ARCH)),,1)
ifdef CROSS
override CC := $(ARCH)-linux-gnu-gcc
override AR := $(ARCH)-linux-gnu-ar
BUILD   := $(BUILD)/$(ARCH)
else
CC      ?= gcc
endif

# SANITIZE=1: a dynamic build with ASan and UBSan in build/sanitize, for tests only.
ifdef SANITIZE
BUILD   := $(BUILD)/sanitize
endif

WARN    := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wvla -Wno-unused-parameter
ifdef CI
WARN    += -Werror
endif
# frame pointers: perf and our own backtraces; sections: so that a program drops what it does not reach
CFLAGS  ?= -O2 -g
COMMON  := -std=gnu17 $(CFLAGS) $(WARN) -D_GNU_SOURCE -Iinclude -I. -I$(BUILD)/gen -include base/banned.h \
           -fno-omit-frame-pointer -fno-strict-aliasing -ffunction-sections -fdata-sections -fstack-protector-strong
GLIBC   := $(COMMON) -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
MUSL    := $(COMMON) -fPIE -isystem $(BUILD)/musl-include
SHARED  := $(COMMON) -fPIE
LINK    := -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,noexecstack
STATIC  := -static-pie $(LINK)
# musl-gcc's specs know no -static-pie: they would name a dynamic linker, which no container has. So the parts by name.
MUSL_DIR := /usr/lib/$(shell uname -m)-linux-musl
GCC_DIR  := $(dir $(shell $(CC) -print-libgcc-file-name 2>/dev/null))
MUSL_STATIC     := -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text $(LINK) \
                   $(MUSL_DIR)/rcrt1.o $(MUSL_DIR)/crti.o $(GCC_DIR)crtbeginS.o
MUSL_STATIC_END := -lm $(GCC_DIR)crtendS.o $(MUSL_DIR)/crtn.o
ifdef SANITIZE
GLIBC   := $(COMMON) -fPIE -fsanitize=address,undefined -fno-sanitize-recover=undefined
MUSL    := $(GLIBC)
STATIC  := -pie -fsanitize=address,undefined
MUSL_STATIC     := $(STATIC)
MUSL_STATIC_END := -lm
MUSL_CC := $(CC)
endif
ifdef CROSS
MUSL    := $(GLIBC)
MUSL_STATIC     := $(STATIC)
MUSL_STATIC_END := -lm
MUSL_CC := $(CC)
endif

# --- sources, by folder ---------------------------------------------------------------------------------------------
# one folder an architecture, of which one is built
TARGET_x86_64  := x64
TARGET_aarch64 := a64
OTHER_TARGETS  := $(filter-out $(TARGET_$(ARCH)),x64 a64)
ENGINE_SRC := $(filter-out engine/main_%.c $(foreach t,$(OTHER_TARGETS),engine/$t/%.c),$(wildcard engine/*.c engine/*/*.c engine/*/*/*.c))
OCI_SRC    := $(filter-out oci/main.c oci/main_%.c oci/cmd_%.c oci/fortified.c oci/heap.c,$(wildcard oci/*.c))
CMD_SRC    := oci/main.c $(wildcard oci/cmd_*.c)
SHIM_SRC   := $(filter-out shim/main.c,$(wildcard shim/*.c))
PROTOS     := $(wildcard shim/*.proto)
PROTO_C    := $(PROTOS:%.proto=$(BUILD)/gen/%.pb-c.c)

GLIBC_OBJ = $(patsubst %.c,$(BUILD)/obj/glibc/%.o,$(1))
MUSL_OBJ  = $(patsubst %.c,$(BUILD)/obj/musl/%.o,$(1))

# the cache and the commands live in `wherry` alone, and need its libraries
ifdef CROSS
ENGINE_SRC := $(filter-out engine/cache/%.c engine/digest.c engine/worker.c engine/worker_cgroup.c engine/tool.c,$(ENGINE_SRC))
endif

PROGRAMS := $(if $(wildcard oci/main.c),$(BUILD)/wherry) \
            $(if $(wildcard engine/main_engine.c),$(BUILD)/libexec/wherry/engine) \
            $(if $(wildcard engine/main_compile.c),$(BUILD)/libexec/wherry/compile) \
            $(if $(wildcard oci/main_system.c),$(BUILD)/libexec/wherry/system) \
            $(if $(wildcard shim/main.c),$(BUILD)/containerd-shim-wherry-v1)
ifdef CROSS
PROGRAMS := $(filter $(BUILD)/libexec/wherry/engine $(BUILD)/libexec/wherry/compile,$(PROGRAMS)) $(BUILD)/tests/spec/spec $(BUILD)/tests/a64/command $(BUILD)/tests/a64/look
endif

# V=1 shows the command lines
say = $(if $(V),,@echo "  $(1) $(patsubst $(BUILD)/%,%,$@)"; )

.PHONY: all
## all          the programs, into build/ (the default)
all: $(PROGRAMS)

# --- objects --------------------------------------------------------------------------------------------------------
$(BUILD)/obj/glibc/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(GLIBC) -MMD -MP -c $< -o $@

$(BUILD)/obj/musl/%.o: %.c | $(BUILD)/musl-include
	@mkdir -p $(@D)
	$(call say,CC)$(MUSL_CC) $(MUSL) -MMD -MP -c $< -o $@

# musl-gcc sees neither the kernel's headers nor those of libraries; independent of the libc, so they are linked in by name
$(BUILD)/musl-include: Makefile
	@mkdir -p $@
	@ln -sfn /usr/include/linux $@/linux
	@ln -sfn /usr/include/asm-generic $@/asm-generic
	@ln -sfn /usr/include/$$($(CC) -print-multiarch)/asm $@/asm
	@for header in yajl nettle seccomp.h seccomp-syscalls.h zlib.h zconf.h; do ln -sfn /usr/include/$$header $@/$$header; done

# Identity of the engine in every cache key: any change of its sources makes old artifacts foreign.
ENGINE_ALL := $(sort $(wildcard engine/*.[ch] engine/*/*.[ch] engine/*/*/*.[ch] include/base/*.h include/wherry/*.h))
$(BUILD)/gen/engine_build_id.c: $(ENGINE_ALL) Makefile
	@mkdir -p $(@D)
	@printf '#include "wherry/engine.h"\nconst char engine_build_id[] = "%s";\n' "$$(cat $(ENGINE_ALL) | sha256sum | cut -c1-32)" > $@.new
	@cmp -s $@.new $@ && rm $@.new && touch $@ || mv $@.new $@
$(BUILD)/obj/glibc/engine_build_id.o: $(BUILD)/gen/engine_build_id.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(GLIBC) -c $< -o $@
$(BUILD)/obj/musl/engine_build_id.o: $(BUILD)/gen/engine_build_id.c
	@mkdir -p $(@D)
	$(call say,CC)$(MUSL_CC) $(MUSL) -c $< -o $@

# for --version; rewritten only when it is another
$(BUILD)/gen/commit.c: FORCE
	@mkdir -p $(@D)
	@printf '#include "oci/version.h"\nconst char wherry_commit[] = "%s";\n' "$$(git rev-parse HEAD 2> /dev/null)" > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(BUILD)/obj/musl/commit.o: $(BUILD)/gen/commit.c
	@mkdir -p $(@D)
	$(call say,CC)$(MUSL_CC) $(MUSL) -c $< -o $@
.PHONY: FORCE
FORCE:

$(BUILD)/gen/%.pb-c.c: %.proto
	@mkdir -p $(@D)
	$(call say,GEN)protoc-c --c_out=$(BUILD)/gen $<
$(BUILD)/obj/glibc/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(filter-out -Wmissing-prototypes,$(GLIBC)) -c $< -o $@
PROTO_OBJ := $(patsubst $(BUILD)/gen/%.c,$(BUILD)/obj/glibc/gen/%.o,$(PROTO_C))
$(call GLIBC_OBJ,$(SHIM_SRC) shim/main.c): | $(PROTO_C)

$(BUILD)/libengine.a: $(call GLIBC_OBJ,$(ENGINE_SRC)) $(BUILD)/obj/glibc/engine_build_id.o
$(BUILD)/libengine-musl.a: $(call MUSL_OBJ,$(ENGINE_SRC)) $(BUILD)/obj/musl/engine_build_id.o
$(BUILD)/liboci.a: $(call GLIBC_OBJ,$(OCI_SRC))
$(BUILD)/liboci-musl.a: $(call MUSL_OBJ,$(OCI_SRC))
$(BUILD)/libshim.a: $(call GLIBC_OBJ,$(SHIM_SRC)) $(PROTO_OBJ)
$(BUILD)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

# --- programs -------------------------------------------------------------------------------------------------------
# static: libyajl_s is the archive's name in Debian
comma := ,
YAJL := $(if $(SANITIZE),-lyajl,-lyajl_s)
# the linker of musl-gcc does not look where Debian's archives are; what they want of glibc is in oci/fortified.c
MUSL_LIBRARIES = $(if $(SANITIZE),-lyajl -lnettle -lz,$(BUILD)/libnettle-lazy.a $(foreach name,yajl_s z,$(shell $(CC) -print-file-name=lib$(name).a)))
# nettle asks what the CPU can do before main, by instructions that trap in a virtual machine, and without it when it is first used
$(BUILD)/libnettle-lazy.a: $(if $(SANITIZE)$(CROSS),,$(shell $(CC) -print-file-name=libnettle.a))
	@mkdir -p $(@D)
	$(call say,AR)$(OBJCOPY) -R '.init_array*' -R '.rela.init_array*' $< $@
# programs that live for milliseconds bring their heap along
HEAP_OBJ  := $(if $(SANITIZE)$(CROSS),,$(call MUSL_OBJ,oci/heap.c))
HEAP_WRAP := $(if $(HEAP_OBJ),$(addprefix -Wl$(comma)--wrap=,malloc calloc realloc free))
$(BUILD)/wherry: $(call MUSL_OBJ,$(CMD_SRC) $(if $(SANITIZE),,oci/fortified.c)) $(HEAP_OBJ) $(BUILD)/obj/musl/commit.o $(BUILD)/liboci-musl.a $(BUILD)/libengine-musl.a $(if $(SANITIZE),,$(BUILD)/libnettle-lazy.a)
	$(call say,LD)$(MUSL_CC) $(MUSL_STATIC) $(if $(SANITIZE),,-Wl$(comma)--wrap=strerror) $(HEAP_WRAP) -o $@ $(filter-out %-lazy.a,$^) $(MUSL_LIBRARIES) $(MUSL_STATIC_END)
$(BUILD)/containerd-shim-wherry-v1: $(BUILD)/obj/glibc/shim/main.o $(BUILD)/libshim.a $(BUILD)/liboci.a $(BUILD)/libengine.a
	$(call say,LD)$(CC) $(STATIC) -o $@ $^ $(YAJL) -lcap -lnettle -lprotobuf-c -lnghttp2 -lm
$(BUILD)/libexec/wherry/engine: $(BUILD)/obj/musl/engine/main_engine.o $(BUILD)/libengine-musl.a
	@mkdir -p $(@D)
	$(call say,LD)$(MUSL_CC) $(MUSL_STATIC) -o $@ $^ $(MUSL_STATIC_END)
$(BUILD)/libexec/wherry/compile: $(BUILD)/obj/musl/engine/main_compile.o $(HEAP_OBJ) $(BUILD)/libengine-musl.a
	@mkdir -p $(@D)
	$(call say,LD)$(MUSL_CC) $(MUSL_STATIC) $(HEAP_WRAP) -o $@ $^ $(MUSL_STATIC_END)
$(BUILD)/libexec/wherry/system: $(call GLIBC_OBJ,oci/main_system.c oci/main_system_unit.c) $(BUILD)/liboci.a $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -pie $(LINK) -Wl,--as-needed $(if $(SANITIZE),-fsanitize=address$(comma)undefined) -o $@ $^ -lyajl -lcap -lnettle -lseccomp -lsystemd -lm

include tests/tests.mk

.PHONY: install clean
## install      to DESTDIR and PREFIX (/usr/local)
install: all
	install -D -m 0755 $(BUILD)/wherry $(DESTDIR)$(PREFIX)/bin/wherry
	[ ! -e $(BUILD)/containerd-shim-wherry-v1 ] || install -D -m 0755 $(BUILD)/containerd-shim-wherry-v1 $(DESTDIR)$(PREFIX)/bin/containerd-shim-wherry-v1
	for p in engine compile system; do install -D -m 0755 $(BUILD)/libexec/wherry/$$p $(DESTDIR)$(PREFIX)/libexec/wherry/$$p; done

.PHONY: deb
## deb          a Debian package of them, build/wherry_VERSION_ARCH.deb
deb: all
	@BUILD=$(BUILD) tests/packages/deb $(VERSION)

## clean        removes build/
clean:
	rm -rf $(BUILD)

-include $(shell [ -d $(BUILD)/obj ] && find $(BUILD)/obj -name '*.d')
