package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/liao-im/liao/internal/store/sqlstore"
)

const seedHelp = `Usage: liao seed --users N [--pairs] --out FILE [--data DIR | --config FILE]

Makes N users without passwords, each with one login whose token lives a day, and
writes them to FILE, one JSON object a line: user, handle, device, token, and with
--pairs, by which the first and second, the third and fourth ... are friends, peer
and conv. For tests and benchmarks, while no server holds the data.`

// seedRow is one line of the file; ids are texts, as everywhere in JSON.
type seedRow struct {
	User   string `json:"user"`
	Handle string `json:"handle"`
	Device string `json:"device"`
	Token  string `json:"token"`
	Peer   string `json:"peer,omitempty"`
	Conv   string `json:"conv,omitempty"`
}

func seed(ctx context.Context, std Streams, args []string) (err error) {
	var users int
	var pairs bool
	var out string
	f := newFlags("seed", seedHelp, std, func(fs *flag.FlagSet) {
		fs.IntVar(&users, "users", 0, "make `N` users")
		fs.BoolVar(&pairs, "pairs", false, "make the first and second friends, the third and fourth, ...")
		fs.StringVar(&out, "out", "", "write the users and their tokens to `FILE`, mode 0600")
	})
	eff, err := f.load(std, args)
	if err != nil {
		return err
	}
	if users < 1 || users > 10_000_000 {
		return usageError("--users must be 1 to 10,000,000")
	}
	if out == "" {
		return usageError("--out FILE is needed: the tokens are stored nowhere else")
	}
	var done stack
	defer func() { err = errors.Join(err, done.stop(ctx)) }()
	if _, err := takeData(&eff.Config, &done); err != nil {
		return err
	}
	st, err := openStore(ctx, &eff.Config, nil, nil)
	if err != nil {
		return err
	}
	done.pushClose("store", st.Close)
	if err := st.Migrate(ctx); err != nil {
		return err
	}
	begin := time.Now()
	if err := seedInto(ctx, st, out, sqlstore.SeedOptions{Users: users, Pairs: pairs}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%d users in %s, made in %.1f s\n", users, out, time.Since(begin).Seconds())
	return err
}

func seedInto(ctx context.Context, st *sqlstore.Store, name string, o sqlstore.SeedOptions) (err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // the file is the operator's
	if err != nil {
		return fmt.Errorf("open the file for the users: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := file.Chmod(0o600); err != nil { // it may have been there
		return fmt.Errorf("protect the file for the users: %w", err)
	}
	w := bufio.NewWriter(file)
	lines := json.NewEncoder(w)
	err = st.Seed(ctx, o, func(s sqlstore.Seeded) error {
		row := seedRow{User: id(uint64(s.User.ID)), Handle: s.User.Handle, Device: s.Device, Token: s.Token}
		if s.Peer != 0 {
			row.Peer, row.Conv = id(uint64(s.Peer)), id(uint64(s.Conv))
		}
		return lines.Encode(row)
	})
	return errors.Join(err, w.Flush())
}

func id(n uint64) string { return strconv.FormatUint(n, 10) }
