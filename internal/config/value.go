package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// valueError is a value that cannot be read, with what to write instead. It
// never holds the text of a secret.
type valueError string

func (e valueError) Error() string { return string(e) }

func valueErrorf(format string, args ...any) error {
	return valueError(fmt.Sprintf(format, args...))
}

// set puts what texts say into the key's field. A key that takes one value is
// given one text; what came from a variable or a flag is one text even for a
// list, with commas.
func (k *Key) set(c *Config, texts []string) error {
	if !k.isList() && len(texts) != 1 {
		return valueErrorf("takes one value, not a list of %d", len(texts))
	}
	switch field := k.in(c).Addr().Interface().(type) {
	case *string:
		text, err := k.shaped(texts[0])
		if err != nil {
			return err
		}
		*field = text
	case *Secret:
		if _, err := k.shaped(texts[0]); err != nil {
			return err
		}
		*field = Secret(texts[0])
	case *bool:
		value, err := parseBool(texts[0])
		if err != nil {
			return err
		}
		*field = value
	case *int:
		value, err := k.parseInt(texts[0])
		if err != nil {
			return err
		}
		*field = value
	case *time.Duration:
		value, err := k.parseDuration(texts[0])
		if err != nil {
			return err
		}
		*field = value
	case *[]string:
		values, err := k.parseStrings(texts)
		if err != nil {
			return err
		}
		*field = values
	case *[]netip.Prefix:
		values, err := parsePrefixes(texts)
		if err != nil {
			return err
		}
		*field = values
	default:
		panic(fmt.Sprintf("config: %s is a %T, which no reader is written for", k.Name, field)) //nolint:forbidigo // a field of Config that this file was not taught
	}
	return nil
}

// text shows the key's field as set would read it; a secret is never shown.
func (k *Key) text(c *Config) string {
	switch value := k.in(c).Interface().(type) {
	case Secret:
		if value == "" {
			return "(not set)"
		}
		return "(set)"
	case int:
		if k.tag.Get("unit") == "bytes" {
			return formatBytes(value)
		}
		return strconv.Itoa(value)
	case []string:
		return strings.Join(value, ", ")
	case []netip.Prefix:
		texts := make([]string, len(value))
		for i, prefix := range value {
			texts[i] = prefix.String()
		}
		return strings.Join(texts, ", ")
	default:
		return fmt.Sprint(value)
	}
}

// shaped checks a text against the key's list of words or its form, and gives
// it as it is kept. An empty text means "none" and passes, but for what must be
// strong when it is given at all.
func (k *Key) shaped(text string) (string, error) {
	if words := strings.Fields(k.tag.Get("one")); len(words) > 0 {
		if slices.Contains(words, text) {
			return text, nil
		}
		return "", valueErrorf("%q is none of %s", text, strings.Join(words, ", "))
	}
	form := k.tag.Get("form")
	if form == "" || text == "" && form != "strong" {
		return text, nil
	}
	return shape(form, text)
}

func (k *Key) parseStrings(texts []string) ([]string, error) {
	var values []string
	for _, text := range split(texts) {
		value, err := k.shaped(text)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

func parsePrefixes(texts []string) ([]netip.Prefix, error) {
	var values []netip.Prefix
	for _, text := range split(texts) {
		if address, err := netip.ParseAddr(text); err == nil {
			values = append(values, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, valueErrorf("%q is no address or prefix; write for example 10.0.0.7 or 10.0.0.0/24", text)
		}
		values = append(values, prefix.Masked())
	}
	return values, nil
}

// split takes lists apart at commas and drops what is empty.
func split(texts []string) []string {
	var parts []string
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				parts = append(parts, part)
			}
		}
	}
	return parts
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, valueErrorf("%q is neither true nor false", text)
	}
}

func (k *Key) parseInt(text string) (int, error) {
	digits, factor := text, 1
	if k.tag.Get("unit") == "bytes" {
		digits, factor = bytesUnit(text)
	}
	value, err := strconv.Atoi(digits)
	if err != nil {
		if k.tag.Get("unit") == "bytes" {
			return 0, valueErrorf("%q is no size; write for example 262144, 256 KiB or 1 MiB", text)
		}
		return 0, valueErrorf("%q is no whole number; write for example %s", text, k.Default)
	}
	// The bound on every number (10^12) keeps what rooms make of it, such as
	// a sum or a product with a unit, from overflowing.
	const most = 1_000_000_000_000
	if value > most/factor || value < -most/factor {
		return 0, valueErrorf("%s is beyond any sense; write for example %s", text, k.Default)
	}
	value *= factor
	if least, err := strconv.Atoi(k.tag.Get("min")); err == nil && value < least {
		return 0, valueErrorf("%s is below the least, %d", text, least)
	}
	if most, err := strconv.Atoi(k.tag.Get("max")); err == nil && value > most {
		return 0, valueErrorf("%s is above the most, %d", text, most)
	}
	return value, nil
}

func (k *Key) parseDuration(text string) (time.Duration, error) {
	value, err := time.ParseDuration(text)
	if err != nil {
		return 0, valueErrorf("%q is no duration; write it with its unit, for example %s", text, k.Default)
	}
	if least, err := time.ParseDuration(k.tag.Get("min")); err == nil && value < least {
		return 0, valueErrorf("%s is below the least, %s", text, least)
	}
	if most, err := time.ParseDuration(k.tag.Get("max")); err == nil && value > most {
		return 0, valueErrorf("%s is above the most, %s", text, most)
	}
	return value, nil
}

// byteUnits are the units of sizes, the largest first.
func byteUnits() []struct {
	name   string
	factor int
} {
	return []struct {
		name   string
		factor int
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}
}

// bytesUnit takes the unit from a size and gives the digits before it.
func bytesUnit(text string) (digits string, factor int) {
	for _, unit := range byteUnits() {
		if digits, ok := strings.CutSuffix(text, unit.name); ok {
			return strings.TrimSpace(digits), unit.factor
		}
	}
	return text, 1
}

func formatBytes(n int) string {
	for _, unit := range byteUnits() {
		if n != 0 && n%unit.factor == 0 {
			return strconv.Itoa(n/unit.factor) + " " + unit.name
		}
	}
	return strconv.Itoa(n)
}
