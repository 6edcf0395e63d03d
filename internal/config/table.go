package config

import (
	"reflect"
	"strings"
)

// Key is one line of the table that the fields of Config declare.
type Key struct {
	Name    string // limits.sends_per_second
	Env     string // LIAO_LIMITS_SENDS_PER_SECOND
	Flags   []string
	Default string
	Help    string
	Secret  bool // hidden wherever it is shown, and taken from no flag

	field []int // of Config, by index
	tag   reflect.StructTag
}

// Keys gives every key in the order of the declaration, for references and
// documents.
func Keys() []Key {
	return keysOf(reflect.TypeFor[Config](), "", nil)
}

// keysOf walks the fields of a section; one without a default of its own that
// is a struct of this package is a section itself.
func keysOf(section reflect.Type, prefix string, at []int) []Key {
	var keys []Key
	for i := range section.NumField() {
		field := section.Field(i)
		name := prefix + field.Tag.Get("key")
		index := append(append([]int{}, at...), i)
		if field.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(field.Type, name+".", index)...)
			continue
		}
		key := Key{
			Name:    name,
			Env:     "LIAO_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_")),
			Default: field.Tag.Get("default"),
			Help:    field.Tag.Get("help"),
			Secret:  field.Type == reflect.TypeFor[Secret](),
			field:   index,
			tag:     field.Tag,
		}
		key.Flags = []string{name}
		if short := field.Tag.Get("flag"); short != "" {
			key.Flags = append(key.Flags, short)
		}
		keys = append(keys, key)
	}
	return keys
}

// in gives the key's field of a Config.
func (k *Key) in(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(k.field)
}

// isBool says whether a flag of this key may stand without a value.
func (k *Key) isBool() bool {
	return reflect.TypeFor[Config]().FieldByIndex(k.field).Type.Kind() == reflect.Bool
}

// isList says whether the key takes several values.
func (k *Key) isList() bool {
	return reflect.TypeFor[Config]().FieldByIndex(k.field).Type.Kind() == reflect.Slice
}

// nearest gives the candidate that name was most likely meant to be, if one is
// within so many letters.
func nearest(name string, candidates []string, within int) (string, bool) {
	best, least := "", within+1
	for _, candidate := range candidates {
		if d := distance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best, best != ""
}

// distance is Levenshtein's: how many letters must be added, taken away or
// changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
