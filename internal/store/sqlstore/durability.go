package sqlstore

import (
	"context"
	"errors"
	"fmt"
)

// Warnings lists, for the operator, settings of the database under which an
// acknowledged message could be lost. A database that this package cannot keep its
// promises on at all (Galera, whose replicas acknowledge each other's conflicts
// away) is an error.
func (s *Store) Warnings(ctx context.Context) ([]string, error) {
	list, err := s.dialect.warnings(ctx, s.reads)
	return list, s.explain("check the database's settings", err)
}

func (mysqlDialect) warnings(ctx context.Context, q querier) ([]string, error) {
	rows, err := collect(ctx, q, func(r scanner) (v [2]string, err error) {
		err = r.Scan(&v[0], &v[1])
		return v, err
	}, `SHOW GLOBAL VARIABLES WHERE Variable_name IN
		('innodb_flush_log_at_trx_commit', 'sync_binlog', 'log_bin', 'innodb_doublewrite', 'wsrep_on')`)
	if err != nil {
		return nil, err
	}
	set := make(map[string]string, len(rows))
	for _, r := range rows {
		set[r[0]] = r[1]
	}
	if set["wsrep_on"] == "ON" {
		return nil, errors.New("this is a Galera cluster: row locks do not hold between its nodes, so messages could be numbered twice; use one primary with replicas")
	}
	var list []string
	if v := set["innodb_flush_log_at_trx_commit"]; v != "1" {
		list = append(list, fmt.Sprintf("innodb_flush_log_at_trx_commit is %s, not 1: an acknowledged message may be lost with the power", v))
	}
	if v := set["innodb_doublewrite"]; v == "OFF" {
		list = append(list, "innodb_doublewrite is OFF: a page that is half written when the power fails cannot be repaired")
	}
	switch {
	case set["log_bin"] != "ON":
		list = append(list, "log_bin is OFF: after a disk is lost, only what the last backup holds can be restored")
	case set["sync_binlog"] != "1":
		list = append(list, fmt.Sprintf("sync_binlog is %s, not 1: after a loss of power a replica may miss what the primary holds", set["sync_binlog"]))
	}
	return list, nil
}
