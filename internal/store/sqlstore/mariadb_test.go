//go:build integration

package sqlstore_test

import (
	"testing"

	"github.com/liao-im/liao/internal/store/sqlstore"
	"github.com/liao-im/liao/internal/store/storetest"
)

// TestMariaDB runs everything that needs a server on one server.
func TestMariaDB(t *testing.T) {
	server := storetest.StartMariaDB(t)
	newDatabase := func(t *testing.T) storetest.Home {
		t.Helper()
		dsn := server.Database(t)
		return home{sqlstore.Options{Driver: "mysql", DSN: dsn}, "mysql", dsn}
	}
	runAll(t, newDatabase)
	t.Run("Append", func(t *testing.T) { testAppendOnServer(t, server, newDatabase) })
}
