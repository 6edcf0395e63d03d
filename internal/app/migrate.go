package app

import (
	"context"
	"errors"
	"fmt"
)

const migrateHelp = `Usage: liao migrate [flags]

Brings the database's schema up to date. ` + "`liao serve`" + ` does so at its start; run this
first where several nodes share one database. Run again after a failure it goes on
where it stopped.`

func migrate(ctx context.Context, std Streams, args []string) (err error) {
	eff, err := newFlags("migrate", migrateHelp, std, nil).load(std, args)
	if err != nil {
		return err
	}
	var done stack
	defer func() { err = errors.Join(err, done.stop(ctx)) }()
	if eff.Config.Store.Driver == "sqlite" {
		if _, err := takeData(&eff.Config, &done); err != nil {
			return err
		}
	}
	st, err := openStore(ctx, &eff.Config, nil, nil)
	if err != nil {
		return err
	}
	done.pushClose("store", st.Close)
	pending, err := st.Pending(ctx)
	if err != nil {
		return err
	}
	if err := st.Migrate(ctx); err != nil {
		return err
	}
	said := "The database was up to date."
	if pending {
		said = "The database is up to date now."
	}
	_, err = fmt.Fprintln(std.Out, said)
	return err
}
