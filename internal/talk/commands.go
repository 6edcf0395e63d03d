package talk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/liao-im/liao/client"
)

// command is one line of the table.
type command struct {
	name  string
	args  string
	brief string
	login bool // needs one
	run   func(ctx context.Context, t *talker, args string) error
}

// commands is the table, in the order of /help.
func commands() []command {
	return []command{
		{"signup", "EMAIL HANDLE NAME", "make an account; a code comes by e-mail", false, cmdSignup},
		{"login", "ACCOUNT", "log in with a handle or e-mail address", false, cmdLogin},
		{"forgot", "EMAIL", "set a new password; a code comes by e-mail", false, cmdForgot},
		{"find", "TEXT", "find people by handle, name, #id or e-mail address", true, cmdFind},
		{"add", "@HANDLE [GREETING]", "ask somebody to be your friend", true, cmdAdd},
		{"requests", "", "who waits for your answer, and for whose you wait", true, cmdRequests},
		{"accept", "@HANDLE", "become friends with who asked", true, cmdAccept},
		{"refuse", "@HANDLE", "do not; they are not told", true, cmdRefuse},
		{"friends", "", "your friends, and who is on line", true, cmdFriends},
		{"who", "", "which of your friends are on line", true, cmdWho},
		{"open", "@HANDLE", "talk to them: lines go there from now on", true, cmdOpen},
		{"say", "TEXT", "send TEXT, as a line without a command does", true, cmdSay},
		{"history", "[COUNT]", "what was said in the open conversation", true, cmdHistory},
		{"unread", "", "what you have not read, of everybody", true, cmdUnread},
		{"read", "", "the open conversation is read", true, cmdRead},
		{"remark", "@HANDLE [NAME]", "your own name for a friend; none takes it away", true, cmdRemark},
		{"remove", "@HANDLE", "be friends no more", true, cmdRemove},
		{"block", "@HANDLE", "hear nothing of them", true, cmdBlock},
		{"unblock", "@HANDLE", "hear them again", true, cmdUnblock},
		{"me", "[name NAME | bio TEXT]", "your profile; change it", true, cmdMe},
		{"passwd", "", "change your password; all other devices are logged out", true, cmdPasswd},
		{"devices", "", "where you are logged in", true, cmdDevices},
		{"revoke", "NUMBER", "log a device out, by its number in /devices", true, cmdRevoke},
		{"logout", "", "log this device out and forget it here", true, cmdLogout},
		{"status", "", "who you are, and whether the line stands", false, cmdStatus},
		{"wait", "WORDS [TIME]", "in scripts: until an event has these words in this order; 10s", false, cmdWait},
		{"expect", "WORDS", "in scripts: the last command said these words in one line", false, cmdExpect},
		{"sleep", "TIME", "in scripts: do nothing, such as 500ms", false, cmdSleep},
		{"help", "[COMMAND]", "this list", false, cmdHelp},
		{"quit", "", "leave", false, func(context.Context, *talker, string) error { return io.EOF }},
	}
}

func findCommand(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// do runs one line.
func (t *talker) do(ctx context.Context, line string) (failed, quit bool) {
	line = strings.TrimSpace(line)
	want := "" // the code with which a script's command must fail; "*" for any
	if !t.ui.interactive() {
		if line == "" || strings.HasPrefix(line, "#") {
			return false, false
		}
		if rest, ok := strings.CutPrefix(line, "!"); ok {
			want, line, _ = strings.Cut(rest, " ")
			if want == "" {
				want = "*"
			}
			line = strings.TrimSpace(line)
		}
	}
	if line == "" {
		return false, false
	}
	name, err := t.runLine(ctx, line)
	switch {
	case errors.Is(err, io.EOF):
		return false, true
	case errors.Is(err, errInterrupted) && ctx.Err() != nil:
		return false, true
	case want != "":
		failed = err == nil || want != "*" && codeOf(err) != want
		if failed {
			t.fail(name, failure{"unexpected", fmt.Sprintf("it should have failed (%s), and: %s", want, outcome(err))})
		} else {
			t.result(kindOK, name+" failed as it should: "+codeOf(err))
		}
	case err != nil:
		failed = true
		t.fail(name, err)
	case !t.ui.interactive():
		t.result(kindOK, name)
	}
	if failed {
		t.journal.fail()
	}
	return failed, false
}

func outcome(err error) string {
	if err == nil {
		return "it did not"
	}
	return codeOf(err) + ": " + err.Error()
}

// runLine finds out what a line is and does it.
func (t *talker) runLine(ctx context.Context, line string) (name string, err error) {
	name, args, _ := strings.Cut(line, " ")
	args = strings.TrimSpace(args)
	switch {
	case strings.HasPrefix(line, "//"):
		name, args = "/say", line[1:]
	case strings.HasPrefix(line, "@") && args != "":
		return "/say", t.needLogin(func() error { return sayTo(ctx, t, name, args) })
	case strings.HasPrefix(line, "@"):
		name, args = "/open", name
	case !strings.HasPrefix(line, "/"):
		name, args = "/say", line
	}
	c, ok := findCommand(name[1:])
	if !ok {
		return name, failure{"usage", fmt.Sprintf(t.words.noCommand, oneLine(name))}
	}
	if name != "/expect" {
		t.journal.begin()
	}
	run := func() error { return c.run(ctx, t, args) }
	if c.login {
		err = t.needLogin(run)
	} else {
		err = run()
	}
	if errors.Is(err, errUsage) {
		err = failure{"usage", strings.TrimSpace("/" + c.name + " " + c.args)}
	}
	return name, err
}

func (t *talker) needLogin(run func() error) error {
	if t.client() == nil {
		return errNoLogin
	}
	return run()
}

// codeOf is an error's code for scripts.
func codeOf(err error) string {
	var e *client.Error
	var f failure
	var ended *client.EndedError
	switch {
	case errors.As(err, &e):
		return string(e.Code)
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &ended):
		return "ended"
	case errors.Is(err, io.EOF):
		return "input"
	}
	return "failed"
}

// fail says that a command did not work, and what to do.
func (t *talker) fail(name string, err error) {
	text := err.Error()
	if e, ok := errors.AsType[*client.Error](err); ok {
		text = e.Text
		if e.RetryAfter > 0 {
			text += fmt.Sprintf(t.words.retryAfter, e.RetryAfter)
		}
		if e.Unknown() {
			text += t.words.unknown
		}
	}
	if t.ui.interactive() {
		t.ui.show("! " + oneLine(text))
		return
	}
	t.ui.show(kindError + " " + name + ": " + codeOf(err) + ": " + oneLine(text))
}

func cmdHelp(_ context.Context, t *talker, args string) error {
	if c, ok := findCommand(strings.TrimPrefix(args, "/")); ok {
		t.result(kindHelp, t.helpLine(c))
		return nil
	}
	if args != "" {
		return failure{"usage", fmt.Sprintf(t.words.noCommand, oneLine(args))}
	}
	for _, c := range commands() {
		t.result(kindHelp, t.helpLine(c))
	}
	for _, line := range t.words.helpEnd {
		t.result(kindHelp, line)
	}
	return nil
}

func (t *talker) helpLine(c command) string {
	brief := c.brief
	if other, ok := t.words.briefs[c.name]; ok {
		brief = other
	}
	return fmt.Sprintf("%-32s %s", strings.TrimSpace("/"+c.name+" "+c.args), brief)
}
