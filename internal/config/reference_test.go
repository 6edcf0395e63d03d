package config_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/config"
)

var update = flag.Bool("update", false, "write docs/configuration.md again")

// The operator's page of all keys is what the table of keys says.
func TestReferencePageIsUpToDate(t *testing.T) {
	t.Parallel()
	const page = "../../docs/configuration.md"
	want := reference()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/configuration.md is out of date; run make generate (-want +got):\n%s", diff)
	}
}

const preface = `# Configuration

A key may be set in a YAML file (` + "`--config FILE` or `LIAO_CONFIG`" + `), by a variable and by a
flag; the later beats the earlier. The key ` + "`limits.sends_per_second`" + ` is

` + "```" + `
limits:                                  # in the file; limits.sends_per_second: 20 will do
  sends_per_second: 20
LIAO_LIMITS_SENDS_PER_SECOND=20          # as a variable
liao serve --limits.sends_per_second 20  # as a flag
` + "```" + `

` + "`liao config`" + ` prints what is in force and where each value comes from; its output is a
file that can be used. Unknown keys, bad values and unsafe combinations are refused, all
at once, each with its place and what to write instead.

Durations are written with their unit (` + "`30s`, `5m`" + `), sizes as bytes or with KiB, MiB or GiB,
lists in brackets or with commas. Keys marked *secret* are shown nowhere and are taken
from no flag; a file that holds one must not be readable by everybody.

This page is made from the table of keys (` + "`make generate`" + `).
`

// reference writes the page: a table for each section.
func reference() string {
	var b strings.Builder
	b.WriteString(preface)
	last := "-"
	for _, key := range config.Keys() {
		section, _, nested := strings.Cut(key.Name, ".")
		if !nested {
			section = "general"
		}
		if section != last {
			fmt.Fprintf(&b, "\n## %s\n\n| key | default | |\n|---|---|---|\n", section)
			last = section
		}
		fmt.Fprintf(&b, "| `%s`%s | %s | %s |\n", key.Name, marks(key), code(key.Default), key.Help)
	}
	return b.String()
}

// marks says what is special about a key: that it is a secret, or that it has a
// short flag.
func marks(key config.Key) string {
	if key.Secret {
		return " *secret*"
	}
	if len(key.Flags) > 1 {
		return " (`--" + key.Flags[1] + "`)"
	}
	return ""
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
