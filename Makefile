# The front door. `make demo` on a fresh Debian 12 machine installs what is missing, builds, and asks the default model.
BUILD := build/release
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
SOURCES = git ls-files -z '*.h' '*.cpp' '*.js'
# The layers that read bytes from outside, and the lowest ones.
SANITIZED := base tensor io hub media text data

.PHONY: help setup setup-dev build install test fuzz sanitize demo bench format lint clean

help:
	@echo "make demo    install packages if needed, build, ask the default model about the example pictures"
	@echo "make build   build $(BUILD)/sensorium"
	@echo "make install   put the binary, the default model and the examples under PREFIX ($(PREFIX))"
	@echo "make test    set up, build and run the unit, golden and end-to-end tests"
	@echo "make fuzz    run every fuzz target for FUZZ_SECONDS (60) with sanitizers"
	@echo "make sanitize  run tests with address, undefined-behaviour and thread sanitizers"
	@echo "make bench   measure this machine and the program's speed as JSON"
	@echo "make format  format the C++ and JavaScript sources"
	@echo "make lint    check layers and formatting"

setup:
	@tools/setup.sh

setup-dev:
	@tools/setup.sh tools/packages-dev.txt

build:
	@test -f $(BUILD)/build.ninja || cmake --preset release
	@cmake --build $(BUILD) --target sensorium -j $(JOBS)

install: build
	@cmake --install $(BUILD) --prefix $(PREFIX)

test: setup
	@cmake --preset $(if $(CI),ci,release) >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)
	@tools/run_tests.sh $(BUILD)

fuzz: setup-dev
	@cmake --preset fuzz -DSENSORIUM_FUZZ_SECONDS=$(FUZZ_SECONDS) >/dev/null
	@cmake --build build/fuzz --target fuzz_targets -j $(JOBS)
	@LABELS=fuzz tools/run_tests.sh build/fuzz

sanitize: setup-dev
	@cmake --preset fuzz -DSENSORIUM_TESTS=ON >/dev/null
	@cmake --build build/fuzz --target $(SANITIZED:%=test_%) -j $(JOBS)
	@set -e; for layer in $(SANITIZED); do build/fuzz/test_$$layer --gtest_brief=1 --gtest_filter='-Slow*'; done
	@cmake --preset tsan >/dev/null
	@cmake --build build/tsan --target test_base -j $(JOBS)
	@build/tsan/test_base --gtest_brief=1 --gtest_filter='Threads*'

demo: setup build
	@tools/demo.sh $(BUILD)/sensorium

bench: build
	@$(BUILD)/sensorium bench --json

format: setup-dev
	@$(SOURCES) | xargs -0 clang-format-14 -i

lint: setup-dev
	@python3 tools/check_layers.py
	@$(SOURCES) | xargs -0 clang-format-14 --dry-run -Werror

clean:
	@rm -rf build
