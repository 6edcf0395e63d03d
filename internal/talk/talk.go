package talk

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/liao-im/liao/client"
)

// Exit codes of Run.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Options are what `liao talk` was started with.
type Options struct {
	Args    []string // flags and, instead of standard input, one command
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
	Environ []string // as os.Environ gives it
	Version string   // what the server is told; may be empty
}

// talker is one running `liao talk`.
type talker struct {
	ui      ui
	words   words
	env     func(string) string
	store   *client.FileStore
	profile profile
	gate    *client.Gate
	agent   string
	way     client.Transport
	codec   client.Codec
	keepOn  bool // a failed command does not end a script
	journal journal

	mu       sync.Mutex // guards what events touch
	c        *client.Client
	dead     *client.Client // one that has ended and is not closed yet
	ready    chan struct{}  // closed when c knows what was missed, or has ended
	over     chan struct{}  // closed when the events of c are read to their end
	open     uint64         // the conversation that lines go to; 0: none
	people   map[uint64]client.User
	contacts client.Contacts
	shown    map[uint64]uint32 // per conversation, the last entry that was shown
	posted   map[string]bool   // keys of what was typed here, until it came back
	waiting  map[string]client.CodeRequest
	logins   []client.LoginInfo // as /devices numbered them
	typedAt  time.Time
}

// Run talks until its input ends, /quit, or ctx does. The exit code is 1 if a
// command of a script failed, 2 if the flags cannot be understood.
func Run(ctx context.Context, o Options) int {
	t := &talker{
		env: environ(o.Environ), people: make(map[uint64]client.User), shown: make(map[uint64]uint32),
		waiting: make(map[string]client.CodeRequest), posted: make(map[string]bool),
	}
	f := flags{gate: t.env("LIAO_GATE")}
	command, err := f.parse(o)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		_, _ = fmt.Fprintf(o.Err, "liao talk: %v; `liao talk --help` tells more\n", err)
		return exitUsage
	}
	if err := t.begin(o, f, command); err != nil {
		if t.store != nil {
			err = errors.Join(err, t.store.Close())
		}
		_, _ = fmt.Fprintf(o.Err, "liao talk: %v\n", err)
		return exitFailed
	}
	code := t.run(ctx)
	if err := t.end(); err != nil {
		_, _ = fmt.Fprintf(o.Err, "liao talk: %v\n", err)
		return exitFailed
	}
	return code
}

// flags are the command line.
type flags struct {
	gate, profile, dir, lang, transport, codec string
	keepOn                                     bool
}

func (f *flags) parse(o Options) (command string, err error) {
	fs := flag.NewFlagSet("talk", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&f.gate, "gate", f.gate, "the server's `URL`; LIAO_GATE, else the profile's, else "+defaultGate)
	fs.StringVar(&f.profile, "profile", "default", "`NAME` of the profile: one for each account")
	fs.StringVar(&f.dir, "dir", "", "`DIRECTORY` of the profiles; $XDG_CONFIG_HOME/liao, else ~/.config/liao")
	fs.StringVar(&f.lang, "lang", "", "en or zh; by LC_ALL, LC_MESSAGES, LANG")
	fs.StringVar(&f.transport, "transport", "", "tcp, tls or ws; else the safest that the server offers")
	fs.StringVar(&f.codec, "codec", "protobuf", "protobuf or json")
	fs.BoolVar(&f.keepOn, "keep-going", false, "a failed command does not end a script")
	if err := fs.Parse(o.Args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			help(o.Out, fs)
		}
		return "", err
	}
	switch {
	case !validProfile(f.profile):
		return "", errors.New("a profile's name has up to 64 of a-z, A-Z, 0-9, . _ -, and does not begin with a dot")
	case f.lang != "" && f.lang != "en" && f.lang != "zh":
		return "", errors.New("--lang is en or zh")
	}
	return strings.Join(fs.Args(), " "), nil
}

func environ(list []string) func(string) string {
	return func(name string) string {
		value := ""
		for _, one := range list {
			if k, v, ok := strings.Cut(one, "="); ok && k == name {
				value = v
			}
		}
		return value
	}
}

// begin opens the profile and the lines.
func (t *talker) begin(o Options, f flags, command string) error {
	dir, err := profilesDir(f.dir, t.env)
	if err != nil {
		return err
	}
	if t.store, err = openProfile(dir, f.profile); err != nil {
		return err
	}
	if t.profile, err = loadProfile(t.store.Dir()); err != nil {
		return err
	}
	if f.gate != "" {
		t.profile.Gate = f.gate
	}
	if t.profile.Gate == "" {
		t.profile.Gate = defaultGate
	}
	lang := language(f.lang, t.env)
	if t.gate, err = client.NewGate(client.GateOptions{URL: t.profile.Gate, Language: lang, Agent: "liao-talk"}); err != nil {
		return err
	}
	t.agent = strings.TrimSuffix("liao-talk/"+o.Version, "/")
	t.way, t.codec, t.keepOn = client.Transport(f.transport), client.Codec(f.codec), f.keepOn
	file, isFile := o.In.(*os.File)
	if command == "" && isFile && term.IsTerminal(int(file.Fd())) {
		t.words = wordsOf(lang)
		t.ui, err = openTerminal(file, o.Out, t.complete, t.keyPressed)
		return err
	}
	t.words = wordsOf("en") // a script's lines never change
	in := o.In
	if command != "" {
		in = strings.NewReader(command)
	}
	t.ui = newScript(in, o.Out, t.env)
	return nil
}

// end lets go of everything, in the order in which it was taken.
func (t *talker) end() error {
	err := t.hangUp()
	if t.profile.changed {
		err = errors.Join(err, t.profile.save(t.store.Dir()))
	}
	return errors.Join(err, t.store.Close(), t.ui.close())
}

// run does what the input says.
func (t *talker) run(ctx context.Context) int {
	login, err := t.store.LoadLogin()
	switch {
	case err != nil:
		t.fail("start", err)
		return exitFailed
	case login.Access != "":
		if err := t.connect(client.Login{}); err != nil {
			t.fail("start", err)
		} else if !t.ui.interactive() {
			t.untilReady(ctx)
		}
	case t.ui.interactive():
		for _, line := range t.words.welcome {
			t.ui.show(line)
		}
	}
	for {
		t.ui.setPrompt(t.prompt())
		line, err := t.ui.readLine(ctx)
		if err != nil {
			break
		}
		failed, quit := t.do(ctx, line)
		if failed && !t.ui.interactive() && !t.keepOn {
			return exitFailed
		}
		if quit {
			break
		}
	}
	return t.settleAll(ctx)
}

// settleAll gives what was sent a moment to arrive before the end.
func (t *talker) settleAll(ctx context.Context) int {
	c := t.client()
	if c == nil || len(c.Unsettled()) == 0 {
		return t.verdict()
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for len(c.Unsettled()) > 0 {
		select {
		case <-tick.C:
		case <-c.Done():
			return t.verdict()
		case <-ctx.Done():
			t.ui.show(fmt.Sprintf(t.words.stillUnsent, len(c.Unsettled())))
			return t.verdict()
		}
	}
	return t.verdict()
}

// verdict is the exit code of a run that came to its end.
func (t *talker) verdict() int {
	if t.keepOn && t.journal.failed() {
		return exitFailed
	}
	return exitOK
}

// untilReady waits a moment until what was missed is known.
func (t *talker) untilReady(ctx context.Context) {
	c := t.client()
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	t.mu.Lock()
	ready := t.ready
	t.mu.Unlock()
	select {
	case <-ready: // or ended, as the events say
	case <-ctx.Done():
	}
}

// client is the connection, or nil.
func (t *talker) client() *client.Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.c
}
