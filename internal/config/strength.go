package config

import (
	_ "embed" // the list of known secrets
	"math"
	"slices"
	"strings"
)

// leastBits is how much guessing a secret of ours must cost. Those that liao
// makes cost 256 bits.
const leastBits = 128

// knownSecrets are those that ship with other servers, stand in their manuals,
// or head the lists of what people choose: one a line, in lower case.
//
//go:embed known_secrets.txt
var knownSecrets string

// checkStrength refuses a secret that is empty, known or guessable.
func checkStrength(text string) error {
	const fix = "; write for example what `openssl rand -hex 32` prints"
	switch {
	case text == "":
		return valueErrorf("is empty%s", fix)
	case known(text):
		return valueErrorf("is a secret that everybody knows%s", fix)
	case bits(text) < leastBits:
		return valueErrorf("can be guessed: less than %d bits%s", leastBits, fix)
	default:
		return nil
	}
}

// known says whether a secret is empty or on the list, in whatever case.
func known(text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	return text == "" || slices.Contains(knownWords(), text)
}

func knownWords() []string {
	return strings.Fields(knownSecrets)
}

// bits estimates from above what it costs to guess a text: its letters times
// the size of the alphabet that they are from. First goes what costs nothing:
// words of the list (of five letters or more: shorter ones occur in random
// text), and the repetition of what stands before.
func bits(text string) float64 {
	words := knownWords()
	slices.SortStableFunc(words, func(a, b string) int { return len(b) - len(a) }) // supersecretkey before secret
	rest := text
	for _, word := range words {
		for len(word) >= 5 {
			i := strings.Index(strings.ToLower(rest), word)
			if i < 0 || i+len(word) > len(rest) {
				break
			}
			rest = rest[:i] + rest[i+len(word):]
		}
	}
	rest = period(rest)

	letters := make(map[byte]bool)
	alphabet := 0
	for _, class := range []string{"0123456789", "abcdef", "ghijklmnopqrstuvwxyz", "ABCDEF", "GHIJKLMNOPQRSTUVWXYZ", "+/-_=", "!\"#$%&'()*,.:;<>?@[\\]^`{|}~ "} {
		if strings.ContainsAny(rest, class) {
			alphabet += len(class)
		}
	}
	for i := range len(rest) {
		letters[rest[i]] = true
	}
	// Whoever writes 40 letters but uses five of them chose a pattern. A random
	// text of 128 bits misses this only once in more than 10^9 times.
	if len(letters) < 7 || alphabet == 0 {
		return 0
	}
	return float64(len(rest)) * math.Log2(float64(alphabet))
}

// period gives the shortest start of text of whose repetitions text consists.
func period(text string) string {
	if text == "" {
		return ""
	}
	return text[:strings.Index((text + text)[1:], text)+1]
}
