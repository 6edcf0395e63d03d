package talk

import (
	"flag"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/client"
)

func TestCleanTakesTheTeethOut(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "hello, 你好 🎉", "hello, 你好 🎉"},
		{"lines and tabs stay", "a\n\tb", "a\n\tb"},
		{"colours", "\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"},
		{"window title", "\x1b]0;owned\x07", "\ufffd]0;owned\ufffd"},
		{"carriage return", "ann: hi\rben: no", "ann: hi\ufffdben: no"},
		{"backspaces", "no\b\byes", "no\ufffd\ufffdyes"},
		{"C1 controls", "a\u009b31mb", "a\ufffd31mb"},
		{"right to left", "a\u202eb\u2066c", "a\ufffdb\ufffdc"},
		{"nothing to see", "a\u200bb\ufeffc", "a\ufffdb\ufffdc"},
		{"broken UTF-8", "a\xffb", "a\ufffdb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := clean(tt.in); got != tt.want {
				t.Errorf("clean(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "a\nb", "\x1b[2J", "\u202e", "\xf0\x28"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range oneLine(s) {
			if unicode.IsControl(r) {
				t.Fatalf("%q becomes %q, which has the control character %U", s, oneLine(s), r)
			}
		}
		if got := clean(clean(s)); got != clean(s) {
			t.Errorf("clean twice is %q, once %q", got, clean(s))
		}
	})
}

// shown keeps what a person would see.
type shown struct {
	script
	lines []string
}

func (s *shown) interactive() bool { return true }
func (s *shown) show(text string)  { s.lines = append(s.lines, text) }

func TestNobodyCanForgeALine(t *testing.T) {
	ui := &shown{}
	tk := &talker{ui: ui, words: english(), people: map[uint64]client.User{2: {ID: 2, Handle: "ben"}}}
	tk.happenedAt(kindMessage, client.Message{
		From: 2, At: time.Now(), Content: client.Text("hi\n12:00 @ann: send me your password\x1b[1A"),
	}, "")
	want := "@ben: hi\n        12:00 @ann: send me your password\ufffd[1A"
	if _, got, _ := strings.Cut(ui.lines[0], " "); got != want {
		t.Errorf("shown as %q, want %q", got, want)
	}
}

func TestWordsAreCompleteInBothLanguages(t *testing.T) {
	en, zh := reflect.ValueOf(english()), reflect.ValueOf(chinese())
	verbs := regexp.MustCompile(`%[a-z]`)
	for i := range en.NumField() {
		name := en.Type().Field(i).Name
		if en.Field(i).Kind() != reflect.String {
			continue
		}
		a, b := en.Field(i).String(), zh.Field(i).String()
		if a == "" || b == "" {
			t.Errorf("%s is %q in English and %q in Chinese", name, a, b)
		}
		if diff := cmp.Diff(verbs.FindAllString(a, -1), verbs.FindAllString(b, -1)); diff != "" {
			t.Errorf("%s has other verbs in Chinese (-en +zh):\n%s", name, diff)
		}
	}
	for _, m := range []struct {
		name   string
		en, zh map[string]string
	}{{"events", english().events, chinese().events}, {"results", english().results, chinese().results}} {
		for kind, a := range m.en {
			if diff := cmp.Diff(verbs.FindAllString(a, -1), verbs.FindAllString(m.zh[kind], -1)); diff != "" || m.zh[kind] == "" {
				t.Errorf("%s.%s is %q in English and %q in Chinese", m.name, kind, a, m.zh[kind])
			}
		}
		if len(m.en) != len(m.zh) {
			t.Errorf("%s: %d in English, %d in Chinese", m.name, len(m.en), len(m.zh))
		}
	}
	for _, c := range commands() {
		if chinese().briefs[c.name] == "" {
			t.Errorf("/%s has no Chinese explanation", c.name)
		}
	}
}

func TestHelpTellsEveryCommandAndLine(t *testing.T) {
	var b strings.Builder
	help(&b, flag.NewFlagSet("talk", flag.ContinueOnError))
	kinds := []string{
		kindUser, kindContact, kindBlocked, kindAsked, kindEntry, kindDevice, kindMe, kindStatus, kindOutbox, kindHelp, kindNote,
		kindMessage, kindNotice, kindSent, kindFailed, kindRequest, kindFriend, kindLogin, kindUnread, kindWaiting, kindRead,
		kindTyping, kindOnline, kindOffline, kindConnected, kindReady, kindDisconnected, kindEnded, kindForgotten,
	}
	for _, c := range commands() {
		kinds = append(kinds, "/"+c.name)
	}
	for _, k := range kinds {
		if !strings.Contains(b.String(), k) {
			t.Errorf("--help does not mention %s", k)
		}
	}
}

func TestLanguage(t *testing.T) {
	tests := []struct {
		name, flag string
		env        []string
		want       string
	}{
		{"nothing", "", nil, "en"},
		{"LANG", "", []string{"LANG=zh_CN.UTF-8"}, "zh"},
		{"LC_ALL wins", "", []string{"LANG=zh_CN.UTF-8", "LC_ALL=C"}, "en"},
		{"the flag wins", "zh", []string{"LC_ALL=C"}, "zh"},
		{"the last of two counts", "", []string{"LANG=C", "LANG=zh_TW"}, "zh"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := language(tt.flag, environ(tt.env)); got != tt.want {
				t.Errorf("language is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCompletion(t *testing.T) {
	tk := &talker{people: map[uint64]client.User{1: {Handle: "ann"}, 2: {Handle: "anna"}, 3: {Handle: "ben"}}}
	tests := []struct {
		line, want string
		ok         bool
	}{
		{"/sig", "/signup ", true},
		{"/re", "/re", false},
		{"/rem", "/rem", false}, // remark and remove
		{"/rema", "/remark ", true},
		{"@b", "@ben ", true},
		{"/open @an", "/open @ann", true},
		{"/open @anna", "/open @anna ", true},
		{"@x", "@x", false},
		{"mail b@b", "mail b@b", false},
		{"hello", "hello", false},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			got, pos, ok := completed(tt.line, len(tt.line), tk.complete(tt.line))
			if !ok {
				got, pos = tt.line, len(tt.line)
			}
			if got != tt.want || ok != tt.ok || pos != len(tt.want) {
				t.Errorf("became %q at %d (%v), want %q (%v)", got, pos, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestWordsInOrder(t *testing.T) {
	line := "message @ben 4: hello there"
	for words, want := range map[string]bool{
		"message hello": true, "@ben 4: hello": true, "hello message": false, "message @ann": false, "there": true,
	} {
		if got := holds(line, strings.Fields(words)); got != want {
			t.Errorf("%q in %q: %v, want %v", words, line, got, want)
		}
	}
}

func TestJournalIsBounded(t *testing.T) {
	var j journal
	for range maxEvents + 5 {
		j.happened("old")
	}
	j.happened("new")
	if len(j.events) != maxEvents || !slices.Contains(j.events, "new") {
		t.Errorf("%d events are kept, want the last %d", len(j.events), maxEvents)
	}
	if err := j.wait(t.Context(), func(s string) bool { return s == "new" }); err != nil || len(j.events) != 0 {
		t.Errorf("waited with error %v, %d events left; want none", err, len(j.events))
	}
}

func TestProfileNames(t *testing.T) {
	for name, want := range map[string]bool{
		"ann": true, "A.b-c_9": true, "": false, ".": false, "..": false, "a/b": false, "a\\b": false, ".x": false,
		strings.Repeat("a", 65): false,
	} {
		if got := validProfile(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
