package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/liao-im/liao/internal/config"
)

// Each refusal names its place and says what to write instead.
func TestRefusals(t *testing.T) {
	const public = "http.public_url: https://chat.example.org\n"
	for _, test := range []struct {
		name      string
		file      string
		env, args []string
		want      []string // all in the error's text
	}{
		// What cannot be read.
		{"unknown key", "limits:\n  send_per_second: 3\n", nil, nil, []string{"liao.yaml:2: limits.send_per_second: unknown key", "did you mean limits.sends_per_second?"}},
		{"unknown section", "limit:\n  x: 3\n", nil, nil, []string{"liao.yaml:1: limit: unknown key"}},
		{"unknown key far from all", "frobnicate: 3\n", nil, nil, []string{"frobnicate: unknown key", "liao config"}},
		{"unknown variable", "", []string{"LIAO_LIMITS_SEND_PER_SECOND=3"}, nil, []string{"env LIAO_LIMITS_SEND_PER_SECOND", "did you mean LIAO_LIMITS_SENDS_PER_SECOND?"}},
		{"given twice", "data: a\ndata: b\n", nil, nil, []string{"liao.yaml:2: data: given twice, first in line 1"}},
		{"given twice in both forms", "log:\n  level: info\nlog.level: warn\n", nil, nil, []string{"liao.yaml:3: log.level: given twice, first in line 2"}},
		{"no value", "data:\n", nil, nil, []string{"liao.yaml:1: data: has no value"}},
		{"list for one value", "data: [a, b]\n", nil, nil, []string{"data: takes one value, not a list of 2"}},
		{"mapping for a value", "data: {a: b}\n", nil, nil, []string{"data: must be a plain value"}},
		{"alias", "data: &d x\nlog.audit_file: *d\n", nil, nil, []string{"liao.yaml:2: log.audit_file: is an alias"}},
		{"value for a section", "limits: 7\n", nil, nil, []string{"liao.yaml:1: limits: must hold keys", "sends_per_second: 20"}},
		{"a list as file", "- data\n", nil, nil, []string{"liao.yaml:1: must hold keys"}},
		{"two documents", "data: a\n---\ndata: b\n", nil, nil, []string{"more than one YAML document"}},
		{"no YAML", "data: [\n", nil, nil, []string{"liao.yaml: is no YAML", "line"}},
		{"no file", "", nil, []string{"--config", "/nonexistent/liao.yaml"}, []string{"/nonexistent/liao.yaml: no such file"}},
		{"number", "store.pool: many\n", nil, nil, []string{`"many" is no whole number; write for example 32`}},
		{"number too low", "limits.sends_per_second: -1\n", nil, nil, []string{"-1 is below the least, 0"}},
		{"number too high", "mail.smtp_port: 70000\n", nil, nil, []string{"70000 is above the most, 65535"}},
		{"number beyond sense", "limits.sends_per_second: 9000000000000000\n", nil, nil, []string{"beyond any sense"}},
		{"size", "limits.outbox_bytes: 3 KB\n", nil, nil, []string{`"3 KB" is no size`, "256 KiB"}},
		{"size that overflows", "limits.outbox_bytes: 9223372036854775807 GiB\n", nil, nil, []string{"beyond any sense"}},
		{"duration without unit", "chat.heartbeat: 30\n", nil, nil, []string{`"30" is no duration; write it with its unit, for example 30s`}},
		{"duration too short", "chat.heartbeat: 1ms\n", nil, nil, []string{"1ms is below the least, 1s"}},
		{"switch", "ops.pprof: yes\n", nil, nil, []string{`"yes" is neither true nor false`}},
		{"word", "log.level: verbose\n", nil, nil, []string{`"verbose" is none of debug, info, warn, error`}},
		{"prefix", "http.trusted_proxies: [proxy]\n", nil, nil, []string{`"proxy" is no address or prefix`}},
		{"listener without port", "http.listen: 127.0.0.1\n", nil, nil, []string{"is no address to listen on"}},
		{"listener with a name", "http.listen: chat.example.org:80\n", nil, nil, []string{"names a host"}},
		{"port", "http.listen: 127.0.0.1:99999\n", nil, nil, []string{"no port between 0 and 65535"}},
		{"public address without port", "chat.public_address: chat.example.org\n", nil, nil, []string{"is no public address"}},
		{"public address of nowhere", "chat.public_address: 0.0.0.0:80\n", nil, nil, []string{"no address that a client can dial"}},
		{"public port 0", "chat.public_address: a:0\n", nil, nil, []string{"no port between 1 and 65535"}},
		{"URL scheme", "http.public_url: ftp://x\n", nil, nil, []string{"no URL of scheme http or https"}},
		{"URL path", "http.public_url: https://x/liao\n", nil, nil, []string{"has a path"}},
		{"URL user", "http.public_url: https://u:p@x\n", nil, nil, []string{"holds no user"}},
		{"origin with path", "http.allowed_origins: [https://x/]\n", nil, nil, []string{"is no origin"}},
		{"origin wildcard", "http.allowed_origins: ['https://*.example.org']\n", nil, nil, []string{"has a wildcard"}},
		{"any origin", "http.allowed_origins: ['*']\n", nil, nil, []string{"is no origin"}},
		{"null origin", "http.allowed_origins: ['null']\n", nil, nil, []string{"is no origin"}},
		{"host with scheme", "mail.smtp_host: smtp://x\n", nil, nil, []string{"is no host name"}},
		{"sender", "mail.from: liao\n", nil, nil, []string{"is no sender"}},

		// What is unsafe.
		{"secret on the command line", "", nil, []string{"--ops.token", strong}, []string{"--ops.token: ops.token: a secret on the command line", "LIAO_OPS_TOKEN"}},
		{"plain HTTP", public, nil, []string{"--http", "0.0.0.0:8080"}, []string{"flag --http: http.listen: plaintext on 0.0.0.0:8080", "http.tls_cert", "insecure: true"}},
		{"plain HTTP everywhere", public + "http.listen: :8080\n", nil, nil, []string{"liao.yaml:2: http.listen: plaintext on :8080"}},
		{"plain TCP", "chat: {listen: '192.0.2.1:8090', public_address: 'x:1'}\n", nil, nil, []string{"chat.listen: plaintext on 192.0.2.1:8090", "chat.tls_listen"}},
		{"no public URL", "", nil, []string{"--http=:8080", "--insecure"}, []string{"http.listen: :8080 is not loopback", "set http.public_url"}},
		{"no public address", "", nil, []string{"--chat=:8090", "--insecure"}, []string{"flag --chat: chat.listen: ", "set chat.public_address"}},
		{"no public TLS address", "chat: {tls_listen: ':1', tls_cert: a, tls_key: b}\n", nil, nil, []string{"set chat.tls_public_address"}},
		{"TLS without certificate", "chat.tls_listen: 127.0.0.1:1\n", nil, nil, []string{"chat.tls_listen: needs a certificate"}},
		{"certificate without key", "http.tls_cert: a\n", nil, nil, []string{"http.tls_cert: has no key; set http.tls_key too"}},
		{"key without certificate", "http.tls_key: a\n", nil, nil, []string{"http.tls_key: has no certificate"}},
		{"TLS with a plain public URL", "http: {tls_cert: a, tls_key: b, public_url: 'http://x'}\n", nil, nil, []string{"begins with http, but http.listen speaks TLS"}},
		{"no HTTP", "http.listen: ''\n", nil, nil, []string{"http.listen: is empty"}},
		{"no operator's address", "ops.listen: ''\n", nil, nil, []string{"ops.listen: is empty"}},
		{"operator without token", "insecure: true\nmail: {smtp_host: m, from: a@b}\n", nil, []string{"--ops=0.0.0.0:1"}, []string{"ops.listen: 0.0.0.0:1 is not loopback, so a token is needed"}},
		{"operator in the clear", "ops.token: " + strong + "\nmail: {smtp_host: m, from: a@b}\n", nil, []string{"--ops=0.0.0.0:1"}, []string{"ops.listen: plaintext on 0.0.0.0:1"}},
		{"codes shown to the network", "insecure: true\nops.token: " + strong + "\n", nil, []string{"--ops=0.0.0.0:1"}, []string{"the codes of new users would be shown there"}},
		{"weak token", "ops.token: hunter3\n", nil, nil, []string{"liao.yaml:1: ops.token: can be guessed: less than 128 bits", "openssl rand"}},
		{"known secret", "", []string{"LIAO_SECRETS_PEPPER=openIM123"}, nil, []string{"env LIAO_SECRETS_PEPPER: secrets.pepper: is a secret that everybody knows"}},
		{"empty secret", "", []string{"LIAO_SECRETS_CODE_KEY="}, nil, []string{"secrets.code_key: is empty"}},
		{"passwords below the floor", "passwords: {memory_kib: 4096, time: 1}\n", nil, nil, []string{"passwords.memory_kib: 4096 is below the least, 19456", "passwords.time: 1 is below the least, 2"}},
		{"MySQL without DSN", "store.driver: mysql\n", nil, nil, []string{"mysql needs store.dsn"}},
		{"DSN for SQLite", "store.dsn: x\n", nil, nil, []string{"is for mysql"}},
		{"DSN that is none", "store: {driver: mysql, dsn: 'x:" + strong + "@'}\n", nil, nil, []string{"store.dsn: is none that the driver reads"}},
		{"DSN without database", "store: {driver: mysql, dsn: 'x:y@tcp(127.0.0.1:3306)/'}\n", nil, nil, []string{"names no database"}},
		{"MySQL without TLS", "store: {driver: mysql, dsn: 'x:" + strong + "@tcp(db:3306)/liao'}\n", nil, nil, []string{"db is not loopback: add tls=true"}},
		{"MySQL with unchecked TLS", "store: {driver: mysql, dsn: 'x:" + strong + "@tcp(db:3306)/liao?tls=skip-verify'}\n", nil, nil, []string{"add tls=true"}},
		{"MySQL without password", "store: {driver: mysql, dsn: 'x@tcp(db:3306)/liao?tls=true'}\n", nil, nil, []string{"the password is empty or known"}},
		{"MySQL with a known password", "store: {driver: mysql, dsn: 'root:123456@tcp(db:3306)/liao?tls=true'}\n", nil, nil, []string{"the password is empty or known"}},
		{"SMTP without sender", "mail.smtp_host: m\n", nil, nil, []string{"needs mail.from"}},
		{"SMTP password in the clear", "mail: {smtp_host: m, from: a@b, smtp_user: u, smtp_password: p, smtp_tls: none}\n", nil, nil, []string{"mail.smtp_tls: would send codes and passwords in the clear to m:587"}},
		{"SMTP password without server", "mail.smtp_password: p\n", nil, nil, []string{"of no use without mail.smtp_host"}},
		{"SMTP user without password", "mail: {smtp_host: m, from: a@b, smtp_user: u}\n", nil, nil, []string{"needs mail.smtp_password"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, test.file, test.env, test.args)
			if err == nil {
				t.Fatal("Load took it")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Load says\n%v\nwhich lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), strong) {
				t.Errorf("Load's error shows a secret:\n%v", err)
			}
		})
	}
}

func TestSafeCombinations(t *testing.T) {
	for _, test := range []struct {
		name string
		file string
	}{
		{"TLS ends in front", "insecure: true\nhttp: {listen: ':8080', public_url: 'https://x'}\nchat: {listen: ':8090', public_address: 'x:8090'}\n"},
		{"TLS everywhere", "http: {listen: ':443', public_url: 'https://x', tls_cert: a, tls_key: b}\nchat: {listen: '', tls_listen: ':8091', tls_public_address: 'x:8091'}\n"},
		{"MySQL here", "store: {driver: mysql, dsn: 'root@tcp(127.0.0.1:3306)/liao'}\n"},
		{"MySQL by socket", "store: {driver: mysql, dsn: 'root@unix(/run/mysqld/mysqld.sock)/liao'}\n"},
		{"MySQL over TLS", "store: {driver: mysql, dsn: 'liao:" + strong + "@tcp(db.example.org:3306)/liao?tls=true'}\n"},
		{"a relay here without TLS", "mail: {smtp_host: 127.0.0.1, smtp_tls: none, from: a@b, smtp_user: u, smtp_password: p}\n"},
		{"operator elsewhere", "insecure: true\nops: {listen: ':8099', token: " + strong + "}\nmail: {smtp_host: m, from: a@b}\n"},
		{"no chat over TCP", "chat.listen: ''\n"},
		{"a section without lines", "limits:\n  # all as they are\n"},
		{"an empty file", "# nothing yet\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := load(t, test.file, nil, nil); err != nil {
				t.Errorf("Load refuses it:\n%v", err)
			}
		})
	}
}

func TestSecretsInAFileForEverybody(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct {
		name    string
		text    string
		mode    os.FileMode
		refused bool
	}{
		{"a secret for everybody", "ops.token: " + strong, 0o644, true},
		{"a secret for the group", "ops.token: " + strong, 0o640, false},
		{"no secret", "data: x", 0o644, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile("x.yaml", []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod("x.yaml", test.mode); err != nil {
				t.Fatal(err)
			}
			_, err := load(t, "", nil, []string{"--config", "x.yaml"})
			if got := err != nil; got != test.refused {
				t.Fatalf("refused is %v, want %v: %v", got, test.refused, err)
			}
			if err != nil && !strings.Contains(err.Error(), "chmod o= x.yaml") {
				t.Errorf("Load says %v, want the command that helps", err)
			}
		})
	}
}

// Servers of this kind were taken over because they ran with the secrets that
// they, or their manuals, came with.
func TestWeakSecrets(t *testing.T) {
	t.Parallel()
	for _, weak := range []string{
		"", " ", "changeme", "ChangeMe", "secret", "openIM123", "secret_wukongim", "123456", "666666", "a1234567",
		"short-but-odd-7Kq", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "0123456789abcdef0123456789abcdef",
		"abababababababababababababababababababababababab", "changemechangemechangemechangemechangeme",
		"openIM123openIM123openIM123openIM123openIM1234", "your-256-bit-secret-your-256-bit-secret",
		"supersecretkey-supersecretkey-supersecretkey",
	} {
		if _, err := load(t, "", []string{"LIAO_OPS_TOKEN=" + weak}, nil); err == nil {
			t.Errorf("%q was taken", weak)
		} else if weak != "" && len(weak) > 7 && strings.Contains(err.Error(), weak) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	for _, good := range []string{
		strong, "nV3_xk8Qz-2LrTq0WbYcUeHsAaPfJdMg", "8c0f2e5b7a916d34c8e1f05b92a7d463",
		"Q29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ9x", "eleven geese argued about 40 kettles!",
	} {
		if _, err := load(t, "", []string{"LIAO_OPS_TOKEN=" + good}, nil); err != nil {
			t.Errorf("%q was refused: %v", good, err)
		}
	}
}

// A syntax error must not quote the piece of a secret that it stumbled over.
func TestSyntaxErrorsHideWhatTheyQuote(t *testing.T) {
	for _, file := range []string{"mail.smtp_password: *" + strong + "\n", "mail.smtp_password: !" + strong + "\n x: [", "ops.token: \"\\" + strong + "\"\n"} {
		_, err := load(t, file, nil, nil)
		if err == nil {
			t.Errorf("%q was taken", file)
			continue
		}
		if strings.Contains(err.Error(), strong) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

func TestErrorListsOneProblemALine(t *testing.T) {
	t.Parallel()
	err := &config.Error{Problems: []config.Problem{{Where: "a:1", Key: "k", Text: "is bad"}, {Where: "b", Text: "is worse"}}}
	if got, want := err.Error(), "a:1: k: is bad\nb: is worse"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
