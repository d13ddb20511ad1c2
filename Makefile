# SPDX-License-Identifier: Apache-2.0
# The front door. CMakeLists.txt and CMakePresets.json hold the build itself; `make help` lists what works here.
BUILD ?= build
FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local
CONFIGURE := $(if $(TARN_WERROR),-DTARN_WERROR=$(TARN_WERROR))

.DEFAULT_GOAL := all
.PHONY: all bootstrap build demo test install uninstall bench asan tsan ubsan fuzz lint fmt docs clean help

# Without its tools a plain `make` only says what to install; `make demo` and `make test` install it.
all:
	@command -v cmake >/dev/null && command -v cc >/dev/null || { echo "tarn: compiler or CMake missing; install what is needed with:"; \
	  scripts/bootstrap --print; exit 1; }
	@$(MAKE) --no-print-directory build
	@echo "built: $(BUILD)/bin $(BUILD)/lib"

bootstrap:
	@scripts/bootstrap

# The generator is chosen once, when the folder is new. Configuring again is cheap and takes a changed TARN_WERROR.
build:
	@test -f $(BUILD)/CMakeCache.txt && cmake -S . -B $(BUILD) $(CONFIGURE) >/dev/null || \
	  cmake -S . -B $(BUILD) $$(command -v ninja >/dev/null && echo -G Ninja) $(CONFIGURE)
	@cmake --build $(BUILD) --parallel

demo:
	@scripts/bootstrap
	@$(MAKE) --no-print-directory build
	@examples/demo.sh $(BUILD)

test: bootstrap
	@$(MAKE) --no-print-directory build
	@scripts/run-tests $(BUILD)

# DESTDIR is respected. What was installed stands in the manifest, which `make uninstall` reads.
install: all
	@cmake --install $(BUILD) --prefix $(abspath $(PREFIX))

uninstall:
	@scripts/uninstall $(BUILD) "$(DESTDIR)"

bench:
	@$(MAKE) --no-print-directory build
	@bench/run.sh $(BUILD)

asan ubsan:
	@cmake --preset $@ && cmake --build --preset $@ && scripts/run-tests build-$@

# ThreadSanitizer's shadow memory and a fully randomised address space collide on newer kernels.
tsan:
	@cmake --preset tsan && setarch -R cmake --build --preset tsan && setarch -R scripts/run-tests build-tsan

fuzz:
	@scripts/run-fuzz $(FUZZ_SECONDS)

lint:
	@scripts/check

fmt:
	@clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h')

docs:
	@$(MAKE) --no-print-directory build
	@BUILD=$(BUILD) scripts/gen-docs

clean:
	@rm -rf build build-asan build-tsan build-ubsan build-fuzz build-cov build-release

help:
	@echo "make           build: the command and the libraries in $(BUILD)/bin and $(BUILD)/lib"
	@echo "make demo      install what is missing, build, show what Tarn does on small models of its own"
	@echo "make test      install what is missing, build, run every test"
	@echo "make install   into PREFIX=$(PREFIX), below DESTDIR; make uninstall removes it"
	@echo "make bench     measure on this machine (bench/README.md)"
	@echo "make asan      the tests under AddressSanitizer (also: ubsan, tsan)"
	@echo "make fuzz      libFuzzer, $(FUZZ_SECONDS) s a target (FUZZ_SECONDS=...); needs clang"
	@echo "make lint      the rules of the tree (scripts/check)"
	@echo "make fmt       clang-format on every C file"
	@echo "make docs      write the generated pages of docs/"
	@echo "make clean     remove every build folder"
