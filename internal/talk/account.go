package talk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/liao-im/liao/client"
)

// Variables that answer a script's questions for secrets.
const (
	passwordVar    = "LIAO_TALK_PASSWORD"     //nolint:gosec // a name, no secret
	newPasswordVar = "LIAO_TALK_NEW_PASSWORD" //nolint:gosec // a name, no secret
)

const maxAsks = 5 // a request for a code dies after so many wrong ones

func cmdSignup(ctx context.Context, t *talker, args string) error {
	if t.client() != nil {
		return errLoggedIn
	}
	a, err := t.newAccount(ctx, args)
	if err != nil {
		return err
	}
	asked, err := t.requestCode(ctx, a.Email, client.Register)
	if err != nil {
		return err
	}
	a.Request = asked.Request
	if a.Password, err = t.ui.askSecret(ctx, t.words.newPassword, passwordVar); err != nil {
		return err
	}
	err = t.withCode(ctx, a.Email, asked, func(code string) error {
		a.Code = code
		_, err := t.gate.CreateAccount(ctx, a)
		for err != nil && t.ui.interactive() && t.fixAccount(ctx, &a, err) {
			_, err = t.gate.CreateAccount(ctx, a)
		}
		return err
	})
	if err != nil {
		return err
	}
	delete(t.waiting, waitingKey(a.Email, client.Register))
	t.result(kindMe, "@"+a.Handle)
	return t.logIn(ctx, a.Handle, a.Password)
}

// newAccount reads what follows /signup, and asks a person for what is missing.
func (t *talker) newAccount(ctx context.Context, args string) (a client.NewAccount, err error) {
	var rest string
	a.Email, rest, _ = strings.Cut(args, " ")
	a.Handle, a.Name, _ = strings.Cut(strings.TrimSpace(rest), " ")
	a.Handle = strings.TrimPrefix(a.Handle, "@")
	if !t.ui.interactive() {
		if a.Name == "" {
			return a, errUsage
		}
		return a, nil
	}
	if a.Email == "" {
		if a.Email, err = t.answerOf(ctx, t.words.askEmail); err != nil {
			return a, err
		}
	}
	// Only a code costs anything, so what can be wrong is found before one is sent.
	for !plausibleHandle(a.Handle) {
		if a.Handle != "" {
			t.ui.show("! " + t.words.handleRule)
		}
		if a.Handle, err = t.answerOf(ctx, t.words.askHandle); err != nil {
			return a, err
		}
	}
	if a.Name == "" {
		a.Name, err = t.answerOf(ctx, t.words.askName)
	}
	return a, err
}

// answerOf asks for one thing; a person who changes their mind gives nothing, or a command.
func (t *talker) answerOf(ctx context.Context, question string) (string, error) {
	s, err := t.ui.ask(ctx, question)
	s = strings.TrimPrefix(strings.TrimSpace(s), "@")
	if err == nil && (s == "" || strings.HasPrefix(s, "/")) {
		return "", failure{"given_up", t.words.givenUp}
	}
	return s, err
}

func plausibleHandle(h string) bool {
	return regexp.MustCompile(`^[a-z][a-z0-9_]{2,31}$`).MatchString(h)
}

// fixAccount asks again for what was refused without costing a try; false if it was something else.
func (t *talker) fixAccount(ctx context.Context, a *client.NewAccount, refusal error) bool {
	if errors.Is(refusal, client.Forbidden) || client.Unknown(refusal) {
		return false
	}
	var err error
	switch text := refusal.Error(); {
	case errors.Is(refusal, client.AlreadyExists) || strings.Contains(text, "handle"):
		t.fail("/signup", refusal)
		a.Handle, err = t.answerOf(ctx, t.words.askHandle)
	case errors.Is(refusal, client.Invalid) && strings.Contains(text, "password"):
		t.fail("/signup", refusal)
		a.Password, err = t.ui.askSecret(ctx, t.words.newPassword, passwordVar)
	default:
		return false
	}
	return err == nil && ctx.Err() == nil && a.Handle != "" && a.Password != ""
}

func waitingKey(email string, p client.Purpose) string { return string(p) + " " + email }

// requestCode has a code sent, unless one that was sent a moment ago is still waited for.
func (t *talker) requestCode(ctx context.Context, email string, p client.Purpose) (client.CodeRequest, error) {
	if asked, ok := t.waiting[waitingKey(email, p)]; ok {
		t.say(fmt.Sprintf(t.words.codeStillGood, oneLine(email)))
		return asked, nil
	}
	asked, err := t.gate.RequestCode(ctx, email, p)
	if err != nil {
		return asked, err
	}
	t.waiting[waitingKey(email, p)] = asked
	if asked.Outbox != "" {
		t.result(kindOutbox, oneLine(asked.Outbox))
	}
	t.say(fmt.Sprintf(t.words.codeSent, oneLine(email)))
	return asked, nil
}

// withCode asks for the code and tries it, more than once if a person mistypes it.
func (t *talker) withCode(ctx context.Context, email string, asked client.CodeRequest, try func(code string) error) error {
	for left := maxAsks; ; left-- {
		question := t.words.askCode
		if asked.Outbox != "" {
			question = t.words.askCodeOrOutbox
		}
		code, err := t.ui.ask(ctx, question)
		if err != nil {
			return err
		}
		code = strings.TrimSpace(code)
		if asked.Outbox != "" && (code == "" || code == "outbox") {
			if code, err = codeFromOutbox(ctx, asked.Outbox, email); err != nil {
				return err
			}
		}
		err = try(code)
		if !errors.Is(err, client.Forbidden) || !t.ui.interactive() || left == 1 {
			if errors.Is(err, client.Forbidden) {
				clear(t.waiting)
			}
			return err
		}
		t.fail("", err)
	}
}

// outboxTime is how long a mail may be on its way to the outbox.
const outboxTime = 10 * time.Second

// codeFromOutbox reads the newest code for an address on a server that sends no
// mail, as its operator would, and waits for it a moment.
func codeFromOutbox(ctx context.Context, outbox, email string) (string, error) {
	u, err := url.Parse(outbox)
	if err != nil || u.Scheme != "http" {
		return "", failure{"outbox", "the outbox has no usable address"}
	}
	ctx, cancel := context.WithTimeout(ctx, outboxTime)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		code, err := lookIntoOutbox(ctx, u.String(), email)
		if err != nil || code != "" {
			return code, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", failure{"outbox", "there is no code for this address in the outbox"}
		}
	}
}

// lookIntoOutbox gives the code of the newest mail to an address; none if there is no such mail.
func lookIntoOutbox(ctx context.Context, outbox, email string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, outbox, nil)
	if err != nil {
		return "", fmt.Errorf("read outbox: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := (&http.Client{Timeout: outboxTime}).Do(req)
	if err != nil {
		return "", failure{"outbox", "the outbox cannot be read from here"}
	}
	defer func() { _ = res.Body.Close() }()
	var mails []struct{ To, Text string }
	if err := json.NewDecoder(io.LimitReader(res.Body, 4<<20)).Decode(&mails); err != nil {
		return "", failure{"outbox", "the outbox cannot be understood"}
	}
	eight := regexp.MustCompile(`\b\d{8}\b`)
	for _, m := range mails { // the newest first
		if strings.EqualFold(m.To, email) {
			if code := eight.FindString(m.Text); code != "" {
				return code, nil
			}
		}
	}
	return "", nil
}

func cmdLogin(ctx context.Context, t *talker, args string) error {
	account := strings.TrimPrefix(args, "@")
	if account == "" || strings.Contains(account, " ") {
		return errUsage
	}
	if t.client() != nil {
		return errLoggedIn
	}
	password, err := t.ui.askSecret(ctx, t.words.password, passwordVar)
	if err != nil {
		return err
	}
	return t.logIn(ctx, account, password)
}

// logIn logs in and connects.
func (t *talker) logIn(ctx context.Context, account, password string) error {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "terminal"
	}
	// What an earlier account left here must not be mixed with this one's.
	if err := t.hangUp(); err != nil {
		return err
	}
	old, err := t.store.LoadLogin()
	if err != nil {
		return err
	}
	login, err := t.gate.Login(ctx, account, password, client.Device{
		ID: t.profile.Devices[account], Name: host[:min(len(host), 64)], Platform: "terminal",
	})
	if err != nil {
		return err
	}
	if old.User.ID != login.User.ID {
		if err := t.store.Forget(); err != nil {
			return err
		}
	}
	t.profile.Devices[login.User.Handle] = login.DeviceID
	t.profile.changed = true
	if err := t.profile.save(t.store.Dir()); err != nil {
		return err
	}
	if err := t.connect(login); err != nil {
		return err
	}
	t.untilReady(ctx)
	return nil
}

func cmdForgot(ctx context.Context, t *talker, args string) error {
	if args == "" || strings.Contains(args, " ") {
		return errUsage
	}
	asked, err := t.requestCode(ctx, args, client.Reset)
	if err != nil {
		return err
	}
	password, err := t.ui.askSecret(ctx, t.words.newPassword, newPasswordVar)
	if err != nil {
		return err
	}
	err = t.withCode(ctx, args, asked, func(code string) error {
		return t.gate.ResetPassword(ctx, client.PasswordReset{
			Email: args, Request: asked.Request, Code: code, Password: password,
		})
	})
	if err != nil {
		return err
	}
	delete(t.waiting, waitingKey(args, client.Reset))
	t.say(t.words.passwordSet)
	return nil
}

func cmdPasswd(ctx context.Context, t *talker, _ string) error {
	old, err := t.ui.askSecret(ctx, t.words.oldPassword, passwordVar)
	if err != nil {
		return err
	}
	next, err := t.ui.askSecret(ctx, t.words.newPassword, newPasswordVar)
	if err != nil {
		return err
	}
	if err := t.client().Account().ChangePassword(ctx, old, next); err != nil {
		return err
	}
	t.say(t.words.passwordChanged)
	return nil
}

func cmdMe(ctx context.Context, t *talker, args string) error {
	account := t.client().Account()
	var me client.User
	var err error
	what, value, _ := strings.Cut(args, " ")
	switch {
	case args == "":
		me, err = account.Me(ctx)
	case what == "name" && value != "":
		me, err = account.UpdateMe(ctx, client.ProfileChange{Name: &value})
	case what == "bio":
		me, err = account.UpdateMe(ctx, client.ProfileChange{Bio: &value})
	default:
		return errUsage
	}
	if err != nil {
		return err
	}
	t.result(kindMe, fmt.Sprintf("@%s %s #%d %s", me.Handle, oneLine(me.Name), me.ID, oneLine(me.Bio)))
	return nil
}

func cmdDevices(ctx context.Context, t *talker, _ string) error {
	list, err := t.client().Account().Logins(ctx)
	if err != nil {
		return err
	}
	t.logins = list
	for i, l := range list {
		this := ""
		if l.Current {
			this = t.words.thisDevice
		}
		t.result(kindDevice, fmt.Sprintf("%d %s (%s) %s%s", i+1, oneLine(l.Device.Name), oneLine(l.Device.Platform), stamp(l.LastSeen), this))
	}
	return nil
}

func cmdRevoke(ctx context.Context, t *talker, args string) error {
	n, err := strconv.Atoi(args)
	if err != nil {
		return errUsage
	}
	if n < 1 || n > len(t.logins) {
		return failure{"not_found", "there is no device of this number: see /devices"}
	}
	return t.client().Account().Revoke(ctx, t.logins[n-1].ID)
}

func cmdLogout(ctx context.Context, t *talker, _ string) error {
	err := t.client().Account().Revoke(ctx, "current")
	if err != nil && !errors.Is(err, client.Unauthenticated) && !errors.Is(err, client.NotFound) {
		return err
	}
	if err := t.hangUp(); err != nil {
		return err
	}
	return t.store.Forget()
}

func cmdStatus(_ context.Context, t *talker, _ string) error {
	c := t.client()
	if c == nil {
		t.result(kindStatus, "not logged in, server "+oneLine(t.profile.Gate))
		return nil
	}
	state := "connected"
	if !c.Online() {
		state = "not connected"
	}
	t.result(kindStatus, fmt.Sprintf("@%s %s, %d unsent, server %s", c.Me().Handle, state, len(c.Unsettled()), oneLine(t.profile.Gate)))
	return nil
}
