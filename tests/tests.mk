# Tests. Every test is an executable that prints TAP; tests/run adds them up and ends with "N passed, N failed, N skipped".
# tests/unit/FOLDER/test_X.c becomes build/tests/unit/FOLDER/test_X, linked with the archives of that folder and below.

UNIT_ENGINE := $(wildcard tests/unit/base/test_*.c tests/unit/engine/test_*.c)
UNIT_OCI    := $(wildcard tests/unit/oci/test_*.c)
UNIT_SHIM   := $(wildcard tests/unit/shim/test_*.c)
UNIT_BIN    := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_ENGINE) $(UNIT_OCI) $(UNIT_SHIM))

TEST_LINK = $(CC) $(GLIBC) -pie $(if $(SANITIZE),-fsanitize=address$(comma)undefined) -MMD -MP -o $@ $(filter %.c %.o %.a,$^)

$(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_ENGINE)): $(BUILD)/tests/%: tests/%.c $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK) -lcmocka -lm
$(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_OCI)): $(BUILD)/tests/%: tests/%.c $(BUILD)/liboci.a $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK) -lcmocka -lyajl -lcap -lm
$(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_SHIM)): $(BUILD)/tests/%: tests/%.c $(BUILD)/libshim.a $(BUILD)/liboci.a $(BUILD)/libengine.a
	@mkdir -p $(@D)
	$(TEST_LINK) -lcmocka -lyajl -lcap -lprotobuf-c -lnghttp2 -lcrypto -lm
-include $(UNIT_BIN:=.d)

.PHONY: check-fast check t
# no root, under a minute
check-fast: all $(UNIT_BIN)
	@CMOCKA_MESSAGE_OUTPUT=TAP BUILD=$(BUILD) tests/run tests/layers.sh $(UNIT_BIN) $(wildcard tests/fast/*.sh)

# one test: make t T=tests/e2e/run.sh, or T=unit/oci/test_config
t: all $(UNIT_BIN)
	@CMOCKA_MESSAGE_OUTPUT=TAP BUILD=$(BUILD) tests/run $(firstword $(wildcard $(T) tests/$(T) $(BUILD)/tests/$(T)) $(T))
