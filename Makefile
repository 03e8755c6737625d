# The front door. `make demo` on a fresh Debian 12 machine installs what is missing, builds, and asks the default model.
BUILD := build/release
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60

.PHONY: help setup build test fuzz demo bench format lint clean

help:
	@echo "make demo    install packages if needed, build, ask the default model about the example pictures"
	@echo "make build   build $(BUILD)/sensorium"
	@echo "make test    set up, build and run the unit, golden and end-to-end tests"
	@echo "make fuzz    run every fuzz target for FUZZ_SECONDS (60) with sanitizers"
	@echo "make bench   measure this machine and the program's speed as JSON"
	@echo "make format  format the C++ sources"
	@echo "make lint    check layers, formatting and names"

setup:
	@tools/setup.sh

build:
	@test -f $(BUILD)/build.ninja || cmake --preset release
	@cmake --build $(BUILD) --target sensorium -j $(JOBS)

test: setup
	@cmake --preset $(if $(CI),ci,release) >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)
	@tools/run_tests.sh $(BUILD)

fuzz: setup
	@tools/setup.sh tools/packages-fuzz.txt
	@cmake --preset fuzz -DSENSORIUM_FUZZ_SECONDS=$(FUZZ_SECONDS) >/dev/null
	@cmake --build build/fuzz --target fuzz_targets -j $(JOBS)
	@LABELS=slow tools/run_tests.sh build/fuzz

demo: setup build
	@tools/demo.sh $(BUILD)/sensorium

bench: build
	@$(BUILD)/sensorium bench --json

format:
	@git ls-files 'src/*.h' 'src/*.cpp' 'tests/*.h' 'tests/*.cpp' 'bench/*.cpp' | xargs clang-format-14 -i

lint:
	@python3 tools/check_layers.py
	@git ls-files 'src/*.h' 'src/*.cpp' | xargs clang-format-14 --dry-run -Werror

clean:
	@rm -rf build
