package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/liao-im/liao/internal/im"
)

func TestMySQLCause(t *testing.T) {
	number := func(n uint16) error { return fmt.Errorf("wrapped: %w", &mysql.MySQLError{Number: n}) }
	tests := []struct {
		name string
		err  error
		want cause
	}{
		{"none", nil, causeOther},
		{"duplicate", number(1062), causeDuplicate},
		{"lock wait", number(1205), causeBusy},
		{"deadlock", number(1213), causeBusy},
		{"disk full", number(1021), causeAway},
		{"too many connections", number(1040), causeAway},
		{"shutdown", number(1053), causeLost},
		{"killed", number(1927), causeLost},
		{"no table", number(1146), causeOther},
		{"bad connection", driver.ErrBadConn, causeLost},
		{"invalid connection", fmt.Errorf("x: %w", mysql.ErrInvalidConn), causeLost},
		{"end of file", io.ErrUnexpectedEOF, causeLost},
		{"network", &net.OpError{Op: "read", Err: errors.New("reset")}, causeLost},
		{"ours", im.Fail(im.Forbidden, "no"), causeOther},
		{"no rows", sql.ErrNoRows, causeOther},
	}
	for _, test := range tests {
		if got := (mysqlDialect{}).cause(test.err); got != test.want {
			t.Errorf("%s: cause %d, want %d", test.name, got, test.want)
		}
	}
}

func TestExplain(t *testing.T) {
	s := &Store{dialect: mysqlDialect{}, metrics: newMetrics(nil)}
	tests := []struct {
		name string
		err  error
		want im.Code
		lost bool
	}{
		{"ours stays", im.Fail(im.Forbidden, "no"), im.Forbidden, false},
		{"a lock", &mysql.MySQLError{Number: 1205}, im.Overloaded, false},
		{"a broken line", driver.ErrBadConn, im.Unavailable, true},
		{"a lost commit", fmt.Errorf("commit: %w: %w", errLost, io.EOF), im.Unavailable, true},
		{"a full disk", &mysql.MySQLError{Number: 1114}, im.Unavailable, false},
		{"a deadline", context.DeadlineExceeded, im.Unavailable, false},
		{"no such table", &mysql.MySQLError{Number: 1146}, im.Internal, false},
	}
	for _, test := range tests {
		err := s.explain("try", test.err)
		if got := im.Explain(err).Code; got != test.want {
			t.Errorf("%s: %v is %v, want %v", test.name, err, got, test.want)
		}
		if got := errors.Is(err, errLost); got != test.lost {
			t.Errorf("%s: lost %v, want %v", test.name, got, test.lost)
		}
	}
	if err := s.explain("try", nil); err != nil {
		t.Errorf("explain(nil) = %v", err)
	}
}
