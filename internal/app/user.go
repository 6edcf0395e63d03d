package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	osuser "os/user"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/liao-im/liao/internal/config"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/sqlstore"
)

const userHelp = `Usage: liao user list [START] | show WHO | disable WHO | enable WHO | delete WHO --yes |
                 logout WHO | password-link WHO        [--data DIR | --config FILE]

WHO is a handle, an e-mail address, or #id. What is changed is in force on running
servers within a second.

  list [START]       users whose handle, address or name starts with START
  show               one user with the logins
  disable, enable    keep a user out, who loses nothing by it; let back in
  delete             delete the account for ever; asks for --yes
  logout             end all logins of a user
  password-link      a code, good once within an hour, with which the user, and
                     nobody else, chooses a new password`

// operator is what the user commands work with.
type operator struct {
	std    Streams
	config *config.Config
	store  *sqlstore.Store
	yes    bool
	limit  int
}

func user(ctx context.Context, std Streams, args []string) (err error) {
	op := operator{std: std}
	f := newFlags("user", userHelp, std, func(fs *flag.FlagSet) {
		fs.BoolVar(&op.yes, "yes", false, "do it, there is no way back")
		fs.IntVar(&op.limit, "limit", 1000, "list at most `N` users")
	})
	operands, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(operands) == 0 {
		return usageError("say what to do: list, show, disable, enable, delete, logout or password-link")
	}
	actions := map[string]func(context.Context, sqlstore.UserRecord) error{
		"show": op.show, "disable": op.disable, "enable": op.enable, "delete": op.remove, "logout": op.logout, "password-link": op.passwordLink,
	}
	verb, who := operands[0], operands[1:]
	action := actions[verb]
	switch {
	case verb == "list" && len(who) <= 1:
	case action == nil && verb != "list":
		return usageError(fmt.Sprintf("there is no action %q", verb))
	case len(who) != 1:
		return usageError(fmt.Sprintf("%s needs one user: a handle, an e-mail address, or #id", verb))
	}
	eff, err := f.loader.Load(std.Environ)
	if err != nil {
		return err
	}
	var done stack
	defer func() { err = errors.Join(err, done.stop(ctx)) }()
	op.config = &eff.Config
	if op.store, err = openForOperator(ctx, op.config, &done); err != nil {
		return err
	}
	audit, err := openAudit(op.config, std)
	if err != nil {
		return err
	}
	done.pushClose("audit log", audit.Close)
	if verb == "list" {
		audit.Logger().InfoContext(ctx, "operator listed users", "start", strings.Join(who, ""))
		return op.list(ctx, strings.Join(who, ""))
	}
	u, err := op.find(ctx, who[0])
	if err != nil {
		return err
	}
	// Before the act: what could not be noted is not done.
	audit.Logger().InfoContext(ctx, "operator's command", "command", verb, "user", uint64(u.ID), "handle", u.Handle, "by", osUser())
	return action(ctx, u)
}

// osUser is who runs the command, by the system's name, else by number.
func osUser() string {
	if u := os.Getenv("SUDO_USER"); u != "" {
		return u
	}
	if u, err := osuser.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// find looks a user up by handle, address or #id.
func (op *operator) find(ctx context.Context, who string) (sqlstore.UserRecord, error) {
	var id im.UserID
	if n, err := strconv.ParseUint(strings.TrimPrefix(who, "#"), 10, 53); err == nil {
		id = im.UserID(n)
	} else {
		a, err := op.store.FindAccount(ctx, strings.ToLower(strings.TrimPrefix(who, "@")))
		if err != nil {
			return sqlstore.UserRecord{}, noSuchUser(who, err)
		}
		id = a.ID
	}
	u, _, err := op.store.UserDetail(ctx, id)
	return u, noSuchUser(who, err)
}

func noSuchUser(who string, err error) error {
	if errors.Is(err, im.NotFound) {
		return fmt.Errorf("there is no such user: %s; `liao user list` shows all", who)
	}
	return err
}

func (op *operator) list(ctx context.Context, start string) error {
	users, err := op.store.ListUsers(ctx, start, 0, op.limit)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(op.std.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ID\tHANDLE\tE-MAIL\tNAME\tCREATED\tLAST SEEN\tSTATE")
	for _, u := range users {
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", u.ID, u.Handle, u.Email, u.Name, day(u.Created), day(u.LastSeen), state(u))
	}
	if len(users) == op.limit {
		_, _ = fmt.Fprintf(w, "... the first %d; name the START of a handle, or a --limit\n", op.limit)
	}
	return w.Flush()
}

func (op *operator) show(ctx context.Context, u sqlstore.UserRecord) error {
	_, logins, err := op.store.UserDetail(ctx, u.ID)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(op.std.Out, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"id", strconv.FormatUint(uint64(u.ID), 10)},
		{"handle", u.Handle},
		{"e-mail", u.Email},
		{"name", u.Name},
		{"bio", u.Bio},
		{"state", state(u)},
		{"created", day(u.Created)},
		{"last seen", day(u.LastSeen)},
		{"logins", strconv.Itoa(len(logins))},
	} {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	for _, l := range logins {
		_, _ = fmt.Fprintf(w, "  login %d\t%s (%s), last seen %s\n", l.ID, l.Device.Name, l.Device.Platform, day(l.LastSeen))
	}
	return w.Flush()
}

func (op *operator) disable(ctx context.Context, u sqlstore.UserRecord) error {
	if err := op.store.DisableUser(ctx, u.ID); err != nil {
		return err
	}
	return op.say("%s is disabled: all logins are ended, and none can be made until `liao user enable`.", u)
}

func (op *operator) enable(ctx context.Context, u sqlstore.UserRecord) error {
	if err := op.store.EnableUser(ctx, u.ID); err != nil {
		return err
	}
	return op.say("%s may log in again.", u)
}

func (op *operator) remove(ctx context.Context, u sqlstore.UserRecord) error {
	if !op.yes {
		return fmt.Errorf("deleting %s cannot be undone; say --yes if you mean it, or `liao user disable`", u.Handle)
	}
	if err := op.store.DeleteAccount(ctx, u.ID); err != nil {
		return err
	}
	return op.say("%s is deleted. What was written stays, without a name; the handle is not given again.", u)
}

func (op *operator) logout(ctx context.Context, u sqlstore.UserRecord) error {
	n, err := op.store.RevokeAll(ctx, u.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(op.std.Out, "%s: %d logins ended.\n", u.Handle, n)
	return err
}

func (op *operator) say(format string, u sqlstore.UserRecord) error {
	_, err := fmt.Fprintf(op.std.Out, format+"\n", u.Handle)
	return err
}

func state(u sqlstore.UserRecord) string {
	switch {
	case u.Deleted != 0:
		return "deleted " + day(u.Deleted)
	case u.Disabled != 0:
		return "disabled " + day(u.Disabled)
	}
	return "active"
}

func day(at im.Millis) string {
	if at == 0 {
		return "never"
	}
	return at.Time().Format(time.DateTime) + "Z"
}
