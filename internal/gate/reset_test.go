package gate_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestResetPage(t *testing.T) {
	d := openDoor(t)
	for path, kind := range map[string]string{"/reset": "text/html", "/reset/page.js": "text/javascript", "/reset/page.css": "text/css"} {
		a := d.send(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), kind) {
			t.Errorf("GET %s: %d %s, want 200 %s", path, a.status, a.header.Get("Content-Type"), kind)
		}
		policy := a.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("GET %s has the policy %q, want none but its own files", path, policy)
		}
		if strings.Contains(string(a.body), "<script>") || strings.Contains(string(a.body), "style=") {
			t.Errorf("GET %s has script or style within, which its policy forbids", path)
		}
	}
	if a := d.send(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/reset/page.html", http.NoBody)); a.status != http.StatusNotFound {
		t.Errorf("GET /reset/page.html: %d, want 404", a.status)
	}
}
