package verify

import (
	"embed"
	"fmt"
	"html/template"
	"strings"
	text "text/template"
)

// Languages that we speak.
const (
	langEnglish = "en"
	langChinese = "zh"
)

// mailKind names a mail; its words are in templates/<kind>.<lang>.txt and .html.
type mailKind string

const (
	mailRegister      mailKind = "register"
	mailReset         mailKind = "reset"
	mailKnown         mailKind = "known" // to register, but the address has an account
	mailPasswordReset mailKind = "password_reset"
	mailNewDevice     mailKind = "new_device"
	mailNone          mailKind = "none" // to reset, but there is no account: nothing is sent
)

// facts fill the words of a mail.
type facts struct {
	Code     string
	Minutes  int
	Device   string
	Platform string
	At       string
}

//go:embed templates
var templateFiles embed.FS

// words are the parsed templates. In a .txt file the first line is the subject and
// the second is empty. A code is alone on its line behind spaces: so it is a word of
// its own also to whoever searches the outbox's JSON, where a line ends in \n. The
// parts that all HTML mails share are in layout.html.
type words struct {
	text *text.Template
	html *template.Template
}

func loadWords() (*words, error) {
	t, err := text.ParseFS(templateFiles, "templates/*.txt")
	if err != nil {
		return nil, err
	}
	h, err := template.ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	return &words{text: t, html: h}, nil
}

// compose returns one mail.
func (w *words) compose(kind mailKind, lang string, f facts) (subject, plain, html string, err error) {
	name := string(kind) + "." + lang
	var t, h strings.Builder
	if err := w.text.ExecuteTemplate(&t, name+".txt", f); err != nil {
		return "", "", "", fmt.Errorf("compose the text: %w", err)
	}
	if err := w.html.ExecuteTemplate(&h, name+".html", f); err != nil {
		return "", "", "", fmt.Errorf("compose the page: %w", err)
	}
	subject, plain, _ = strings.Cut(t.String(), "\n\n")
	return subject, plain, h.String(), nil
}

// speak is the language of a mail to somebody who asked for lang.
func (s *Service) speak(lang string) string {
	if lang == langEnglish || lang == langChinese {
		return lang
	}
	return s.lang
}
