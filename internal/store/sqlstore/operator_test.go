package sqlstore_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/sqlstore"
)

func account(t *testing.T, s *sqlstore.Store, handle, name string) im.User {
	t.Helper()
	u, err := s.CreateAccount(t.Context(), im.NewAccount{Email: handle + "@example.org", Handle: handle, Name: name, PasswordHash: "x"})
	if err != nil {
		t.Fatalf("CreateAccount(%s): %v", handle, err)
	}
	return u
}

func testListUsers(t *testing.T, h home) {
	t.Helper()
	s := h.store(t)
	account(t, s, "anna", "Åsa Ög")
	account(t, s, "an_na", "Bob")
	account(t, s, "bob", "anna the second")
	gone := account(t, s, "annagone", "Gone")
	if err := s.DeleteAccount(t.Context(), gone.ID); err != nil {
		t.Fatalf("DeleteAccount: %v", err)
	}
	tests := []struct {
		prefix string
		after  im.UserID
		limit  int
		want   []string // handles
	}{
		{"", 0, 10, []string{"anna", "an_na", "bob", ""}},
		{"", 0, 2, []string{"anna", "an_na"}},
		{"", 2, 2, []string{"bob", ""}},
		{"", 4, 2, nil},
		{"", 0, 0, nil},
		{"anna", 0, 10, []string{"anna", "bob"}},
		{"ANNA", 0, 10, []string{"anna", "bob"}},
		{"an_", 0, 10, []string{"an_na"}},
		{"bob@example", 0, 10, []string{"bob"}},
		{"åSA ö", 0, 10, []string{"anna"}},
		{"%", 0, 10, nil},
		{"!", 0, 10, nil},
		{"nna", 0, 10, nil},
	}
	for _, test := range tests {
		list, err := s.ListUsers(t.Context(), test.prefix, test.after, test.limit)
		if err != nil {
			t.Fatalf("ListUsers(%q): %v", test.prefix, err)
		}
		var got []string
		for _, u := range list {
			got = append(got, u.Handle)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("ListUsers(%q, after %d, limit %d) (-want +got):\n%s", test.prefix, test.after, test.limit, diff)
		}
	}
}

func testUserDetail(t *testing.T, h home) {
	t.Helper()
	s := h.store(t)
	ann := account(t, s, "ann", "Ann")
	login, _, err := s.CreateLogin(t.Context(), im.NewLogin{
		User: ann.ID, Device: im.Device{Name: "phone"}, Tokens: tokens(),
	})
	if err != nil {
		t.Fatalf("CreateLogin: %v", err)
	}
	u, logins, err := s.UserDetail(t.Context(), ann.ID)
	if err != nil {
		t.Fatalf("UserDetail: %v", err)
	}
	want := sqlstore.UserRecord{User: ann, Email: "ann@example.org", Created: u.Created, LastSeen: login.LastSeen}
	if diff := cmp.Diff(want, u); diff != "" || u.Created == 0 {
		t.Errorf("UserDetail (-want +got):\n%s", diff)
	}
	if len(logins) != 1 || logins[0].ID != login.ID {
		t.Errorf("UserDetail gave logins %v, want %d", logins, login.ID)
	}
	if err := s.DisableUser(t.Context(), ann.ID); err != nil {
		t.Fatalf("DisableUser: %v", err)
	}
	if u, logins, err = s.UserDetail(t.Context(), ann.ID); err != nil || u.Disabled == 0 || len(logins) != 0 {
		t.Errorf("UserDetail of a disabled user = %+v, %v, %v", u, logins, err)
	}
	if err := s.DeleteAccount(t.Context(), ann.ID); err != nil {
		t.Fatalf("DeleteAccount: %v", err)
	}
	u, _, err = s.UserDetail(t.Context(), ann.ID)
	if err != nil || u.Deleted == 0 || u.User != (im.User{ID: ann.ID}) || u.Email != "" {
		t.Errorf("UserDetail of a deleted user = %+v, %v, want the id and instants alone", u, err)
	}
	if _, _, err := s.UserDetail(t.Context(), 999); !errors.Is(err, im.NotFound) {
		t.Errorf("UserDetail of nobody: %v", err)
	}
}
