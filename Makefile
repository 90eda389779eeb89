# SPDX-License-Identifier: BSD-3-Clause
#
# make demo    bundle a real exported model, run it on the host and on an emulated Cortex-M55
# make test    every test; what was skipped is listed at the end, with its reason
# make size    flash, RAM and stack of the target's parts
# make fuzz    each fuzz target for FUZZ_SECONDS (60)
# make ethosu-fuzz    the Ethos-U model over ETHOSU_GRAPHS (1000) random graphs for each NPU
# make ethosu-nets    the Ethos-U model over the networks of tests/engine/ethosu/networks.py, which ExecuTorch lowers
# make ethosu-mutants    the Ethos-U model with one rule broken at a time: do the tests notice?
# make confirm-npu BOARD=corstone-300 SIMULATOR=fvp    the Ethos-U nets on an NPU: what was equal, as a JSON
# make lint    what each commit must pass; `make tidy` looks deeper into the C++, for a minute or two
# make docs    the site, into build/docs/site
# make coverage    lines and branches that the tests reach, in C++ and Python, into docs/coverage.md
#
# All of them install what they need: system packages (Debian, Ubuntu; root or sudo) and the virtual environment .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Python compiles what is imported. pip would compile all 17,000 files of the packages, for more than a minute.
PIP = $(BIN)/pip install --quiet --disable-pip-version-check --no-compile
FUZZ_SECONDS ?= 60
ETHOSU_GRAPHS ?= 1000
# What the host runner is built with and against. The executorch package brings the C++ SDK; without its dependencies it
# needs no torch.
EXECUTORCH := executorch==1.5.1
TORCH := torch==2.13.0
# What compiles for an Ethos-U, and what says what the result must be: without its dependencies, which the others bring.
ETHOS_U := ethos-u-vela==5.1.0 tosa-tools==2026.5.0
# A model of speech, with its weights: without its dependencies, of which exporting needs none.
SPEECH := silero-vad==6.2.3
# What `make confirm-npu` runs on, and what it writes.
BOARD ?= corstone-300
SIMULATOR ?= fvp
CONFIRMATION ?= build/npu-confirmation.json
BUILD_TOOLS := "cmake>=3.28" ninja

.PHONY: demo test size fuzz ethosu-fuzz ethosu-nets ethosu-mutants ethosu-model confirm-npu lint tidy docs coverage clean host-packages demo-packages test-packages

demo: demo-packages $(VENV)/.run
	$(BIN)/python tools/demo.py

test: test-packages $(VENV)/.test
	$(BIN)/python tools/test.py $(STAGES)

lint: $(VENV)/.test
	$(BIN)/python tools/test.py lint

tidy: test-packages $(VENV)/.test
	$(BIN)/python tools/tidy.py

docs: test-packages $(VENV)/.test
	$(BIN)/python tools/docs.py

coverage: test-packages $(VENV)/.test
	$(BIN)/python tools/measure_coverage.py

size: test-packages $(VENV)/.test
	$(BIN)/python tools/size.py
	$(BIN)/python tools/firmware_size.py

fuzz: test-packages $(VENV)/.test
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS)
	$(BIN)/python tests/fuzz/fuzz_program.py --seconds $(FUZZ_SECONDS)
	$(PIP) atheris
	$(BIN)/python tests/fuzz/fuzz_protocol.py -max_total_time=$(FUZZ_SECONDS) -max_len=4096

# The preset needs the environment's cmake.
ethosu-model: test-packages $(VENV)/.test
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake --preset host
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake --build --preset host --target ethosu_tool

ethosu-fuzz: ethosu-model
	$(BIN)/python tests/engine/ethosu/fuzz_graphs.py --graphs $(ETHOSU_GRAPHS)

ethosu-nets: ethosu-model
	$(BIN)/python tests/engine/ethosu/compare_nets.py

ethosu-mutants: ethosu-model
	$(BIN)/python tests/engine/ethosu/mutants.py

confirm-npu: test-packages $(VENV)/.test
	mkdir -p $(dir $(CONFIRMATION))
	$(BIN)/python tests/engine/ethosu/confirm.py --board $(BOARD) --simulator $(SIMULATOR) -o $(CONFIRMATION)

clean:
	rm -rf build build-* dist .venv

host-packages demo-packages test-packages: %-packages:
	sh tools/packages.sh $*

# An editable install is not compiled by pip, and importing it then takes ten times as long.
# The environments grow: .run is enough to bundle and run, .test brings torch and the checkers.
$(VENV)/.base: | host-packages
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: $(VENV)/.base pyproject.toml setup.py
	$(PIP) $(BUILD_TOOLS) --editable .
	$(BIN)/python -m compileall -q python/bpte
	test -d $(VENV)/lib/python3*/site-packages/executorch || $(PIP) --no-deps $(EXECUTORCH)
	touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) $(TORCH)
	$(PIP) $(EXECUTORCH) --editable '.[dev,docs]'
	$(PIP) --no-deps $(ETHOS_U) $(SPEECH)
	touch $@
