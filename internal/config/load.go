package config

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// Loader takes the command line's part of the configuration while it is
// parsed, and puts the other sources under it.
type Loader struct {
	keys  []Key
	file  string
	flags []given
	found problems
}

// NewLoader registers a flag for every key on fs, besides --config FILE. Parse
// fs with the command line, then call Load.
//
// A bad value is no failure of the parsing: Load reports it with the rest.
func NewLoader(fs *flag.FlagSet) *Loader {
	l := &Loader{keys: Keys()}
	fs.StringVar(&l.file, "config", "", "`FILE` with the configuration, in YAML (LIAO_CONFIG)")
	for i := range l.keys {
		for _, name := range l.keys[i].Flags {
			fs.Var(&keyFlag{loader: l, key: &l.keys[i], name: name}, name, l.keys[i].Help)
		}
	}
	return l
}

// keyFlag is one flag; it only notes what was given.
type keyFlag struct {
	loader *Loader
	key    *Key
	name   string
}

// String is the default that a flag set's help shows.
func (f *keyFlag) String() string {
	if f.key == nil {
		return "" // package flag asks a zero value for its default
	}
	return f.key.Default
}

// IsBoolFlag lets a switch stand without a value.
func (f *keyFlag) IsBoolFlag() bool { return f.key.isBool() }

// Set notes the value. That of a secret is dropped: package flag would print
// it with its error, and who lists the processes has read it already.
func (f *keyFlag) Set(text string) error {
	if f.key.Secret {
		f.loader.found.add("--"+f.name, f.key.Name, "a secret on the command line is read by every user of the machine; use the file or %s, and choose a new one", f.key.Env)
		return nil
	}
	f.loader.flags = append(f.loader.flags, given{key: f.key.Name, texts: []string{text}, source: "flag --" + f.name})
	return nil
}

// Load reads the file and the environment (as os.Environ gives it), puts the
// flags above them and judges the whole. Its error is an *Error that lists
// everything that must be changed.
func (l *Loader) Load(environ []string) (*Effective, error) {
	found := l.found
	var values []given
	fromEnv := l.readEnv(environ, &found)
	if name := cmp.Or(l.file, lookup(environ, "LIAO_CONFIG")); name != "" {
		values = readFile(name, l.keys, &found)
	}
	values = append(values, fromEnv...)
	values = append(values, l.flags...)

	e := &Effective{keys: l.keys, sources: make(map[string]string)}
	for i := range l.keys {
		key := &l.keys[i]
		if key.Default != "" {
			if err := key.set(&e.Config, []string{key.Default}); err != nil {
				panic("config: default of " + key.Name + ": " + err.Error()) //nolint:forbidigo // a tag of Config that contradicts itself
			}
		}
		e.sources[key.Name] = "default"
	}
	for _, value := range values {
		key, _ := find(l.keys, value.key)
		if err := key.set(&e.Config, value.texts); err != nil {
			found.add(value.source, value.key, "%v", err)
			continue
		}
		e.sources[value.key] = value.source
	}
	e.derive()
	check(e, &found)
	if err := found.err(); err != nil {
		return nil, err
	}
	return e, nil
}

// readEnv gives the values of LIAO_ variables. A variable of ours that is no
// key is refused if it was likely meant as one: in a section of ours, or near
// a key's name. Others pass, and so do the variables that orchestrators set
// for a service that happens to be called liao.
func (l *Loader) readEnv(environ []string, found *problems) []given {
	byEnv := make(map[string]string, len(l.keys))
	envs := make([]string, 0, len(l.keys))
	for _, key := range l.keys {
		byEnv[key.Env] = key.Name
		envs = append(envs, key.Env)
	}
	var values []given
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "LIAO_") || name == "LIAO_CONFIG" {
			continue
		}
		if key, ok := byEnv[name]; ok {
			values = append(values, given{key: key, texts: []string{text}, source: "env " + name})
			continue
		}
		if serviceLink(name) || forClients(name) {
			continue
		}
		_, near := nearest(name, envs, 2)
		if near || l.inSection(name) {
			found.add("env "+name, "", "no key has this variable%s", suggestion(name, envs))
		}
	}
	return values
}

// inSection says whether a variable is named like one of a section's keys.
func (l *Loader) inSection(env string) bool {
	for _, key := range l.keys {
		section, _, ok := strings.Cut(key.Name, ".")
		if ok && strings.HasPrefix(env, "LIAO_"+strings.ToUpper(section)+"_") {
			return true
		}
	}
	return false
}

// forClients tells the variables that the terminal client reads; one shell often
// has both.
func forClients(name string) bool {
	return name == "LIAO_GATE" || strings.HasPrefix(name, "LIAO_TALK_")
}

// serviceLink tells the variables by which Kubernetes and Docker describe
// services to each other.
func serviceLink(name string) bool {
	return strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") ||
		strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_TCP") || strings.Contains(name, "_UDP")
}

func lookup(environ []string, name string) string {
	for _, pair := range environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// Effective is the configuration in force, with the source of every value.
type Effective struct {
	Config Config

	keys    []Key
	sources map[string]string
}

// Source says where a key's value comes from: "default", "liao.yaml:12",
// "env LIAO_DATA", "flag --data", or "as" the key that it follows.
func (e *Effective) Source(key string) string { return e.sources[key] }

// Write prints every key with its value and its source, secrets hidden. What it
// prints is a configuration file.
func (e *Effective) Write(w io.Writer) error {
	var b strings.Builder
	for i := range e.keys {
		key := &e.keys[i]
		line := key.Name + ": " + quote(key.text(&e.Config))
		if key.Secret {
			line = "# " + key.Name + ": " + key.text(&e.Config)
		}
		fmt.Fprintf(&b, "%-48s # %s\n", line, e.sources[key.Name])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// quote makes a text a YAML scalar: bare if it is harmless, else in the quotes
// that keep it most readable.
func quote(text string) string {
	const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./:_ -"
	bare := text != "" && text != "null" && strings.Trim(text, harmless) == "" && !strings.Contains(text, ": ") &&
		!strings.HasSuffix(text, ":") && !strings.ContainsAny(text[:1], ":- ") && text == strings.TrimSpace(text)
	switch {
	case bare:
		return text
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return strconv.Quote(text) // Go's escapes are YAML's too
	default:
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
}

// derive fills in what follows another key.
func (e *Effective) derive() {
	c := &e.Config
	if c.Chat.TLSListen != "" && c.Chat.TLSCert == "" && c.Chat.TLSKey == "" && c.HTTP.TLSCert != "" {
		c.Chat.TLSCert, c.Chat.TLSKey = c.HTTP.TLSCert, c.HTTP.TLSKey
		e.sources["chat.tls_cert"], e.sources["chat.tls_key"] = "as http.tls_cert", "as http.tls_key"
	}
	if c.Chat.WSPublicURL == "" && c.HTTP.PublicURL != "" {
		c.Chat.WSPublicURL = "ws" + strings.TrimPrefix(c.HTTP.PublicURL, "http") + "/v1/ws"
		e.sources["chat.ws_public_url"] = "as http.public_url"
	}
}
