package storetest

import "testing"

// theme is a group of tests about one promise.
type theme struct {
	name string
	test func(t *testing.T, home Home)
}

// Run holds a store to the whole suite. What newHome makes is a home that is empty but for
// the schema.
func Run(t *testing.T, newHome func(t *testing.T) Home) {
	t.Helper()
	for _, th := range allThemes() {
		t.Run(th.name, func(t *testing.T) { th.test(t, newHome(t)) })
	}
}

// allThemes lists the themes in the order in which a reader may want them.
func allThemes() []theme {
	var all []theme
	for _, list := range [][]theme{
		logThemes(), peopleThemes(), accountThemes(), loginThemes(), refreshThemes(), codeThemes(),
	} {
		all = append(all, list...)
	}
	return all
}
