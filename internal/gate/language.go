package gate

import (
	"strconv"
	"strings"
)

// maxLanguages bounds how much of an Accept-Language header is looked at.
const maxLanguages = 16

// language is which of our languages an Accept-Language header likes best, or other
// if it names neither: zh with any region or script is Chinese, en likewise English.
func language(header, other string) string {
	best, bestQ := other, 0.0
	for i, part := range strings.SplitN(header, ",", maxLanguages+1) {
		if i == maxLanguages {
			break
		}
		tag, params, _ := strings.Cut(part, ";")
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if primary != "zh" && primary != "en" {
			continue
		}
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil || !(f >= 0 && f <= 1) {
				continue
			}
			q = f
		}
		if q > bestQ {
			best, bestQ = primary, q
		}
	}
	return best
}
