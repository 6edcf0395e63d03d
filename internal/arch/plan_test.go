package arch_test

// Layers of the plan that more than one package may use.
var (
	// The wire protocol: the frames, and the messages generated for their
	// bodies.
	codec = []string{"internal/wire", "internal/wire/clientpb"}

	// What keeps everything and judges nothing; rooms see it only through
	// their own needs.go.
	stores = []string{"internal/store/memstore", "internal/store/sqlstore"}
)

// plan names every package of this module and the packages of ours that it may
// import. Paths are relative to the module's root. Besides what stands here,
// every package may import internal/fault.
//
// The four rooms (gate, chat, status, verify) never import each other: what one
// needs of another stands in its needs.go, and internal/app joins them.
var plan = map[string][]string{
	// Level 0: nothing of ours, but generated code in its own folder.
	"internal/im":            {},
	"internal/wire":          {"internal/wire/clientpb"},
	"internal/wire/clientpb": {},
	"internal/batch":         {},
	"internal/mail":          {},
	"internal/ops":           {},
	"internal/config":        {},
	"internal/fault":         {},
	"internal/arch":          {},

	// Level 1: what carries and what keeps.
	"internal/transport":       codec,
	"internal/store/sqlstore":  {"internal/im"},
	"internal/store/memstore":  {"internal/im"},
	"internal/store/storetest": {"internal/im"},

	// Level 2: the rooms.
	"internal/gate":   {"internal/im"},
	"internal/status": {"internal/im"},
	"internal/verify": {"internal/im"},
	"internal/chat":   join(codec, "internal/im", "internal/transport", "internal/batch"),

	// What acts as a client uses the SDK.
	"client":        join(codec, "internal/im", "internal/transport"),
	"internal/talk": {"client"},
	// bench speaks frames itself: the SDK would repair, and so hide, what it counts.
	"internal/bench": codec,

	// Level 4 and 5: the place where the rooms are joined, and who may start it.
	"internal/app": join(append(codec, stores...),
		"client", "internal/batch", "internal/bench", "internal/chat", "internal/config", "internal/gate",
		"internal/im", "internal/mail", "internal/ops", "internal/status", "internal/talk",
		"internal/transport", "internal/verify"),
	"internal/imtest": {"client", "internal/app"},
	"cmd/liao":        {"internal/app"},

	// Black-box tests drive the binary; what they know of the inside they
	// would no longer test.
	"test/contract": {},
	"test/liaotest": {},
	"test/script":   {},
	"test/security": {},
}

// forbiddenImports are packages that production code may not import. An empty
// list of rooms means every package of ours; testsToo holds test files to it as
// well; linked forbids it to the libraries that the binary is made of, too.
var forbiddenImports = []struct {
	path     string
	rooms    []string
	testsToo bool
	linked   bool
	because  string
}{
	{
		path: "math/rand", testsToo: true,
		because: "its generator can be predicted; math/rand/v2 spreads load, crypto/rand makes secrets",
	},
	{
		path: "math/rand/v2", rooms: []string{"internal/gate", "internal/verify", "internal/im", "internal/config", "internal/app"},
		because: "what is random here is a secret: tokens, codes, keys come from crypto/rand",
	},
	{
		path: "encoding/xml", linked: true,
		because: "its parser recurses on hostile input, and nothing here speaks XML",
	},
	{
		path: "net/rpc", linked: true,
		because: "it has neither deadlines nor authentication",
	},
	{
		path: "encoding/gob", linked: true,
		because: "decoding gob from a peer allocates what the peer asks for",
	},
	{
		path:    "unsafe",
		because: "memory safety is half of what a server in Go is for",
	},
}

// onlyForeign lists rooms whose imports from outside the standard library are
// limited to these prefixes, so that they stay what anybody can read or port.
var onlyForeign = []struct {
	room    string
	allowed []string
	because string
}{
	{"internal/im", nil, "the domain depends on the standard library alone"},
	{"internal/fault", nil, "every package imports it"},
	{"internal/wire", []string{"google.golang.org/protobuf/"}, "the protocol is to be read without a library's manual"},
}

// forbiddenModules are parts of module paths that must not provide a package
// to any build of ours.
var forbiddenModules = []struct{ part, because string }{
	{"jwt", "tokens are opaque: self-contained ones cannot be revoked at once, and mixing up their keys is a living class of holes"},
	{"jose", "as jwt"},
	{"paseto", "as jwt"},
	{"mattn/go-sqlite3", "the binary is static: SQLite comes through a driver in pure Go"},
	{"sirupsen/logrus", "log/slog is the logger"},
	{"stretchr/testify", "tests use the standard library and go-cmp"},
}

// drawers are names that say nothing about what a package provides.
var drawers = []string{
	"util", "utils", "common", "helpers", "helper", "types", "base", "core", "pkg", "misc", "shared", "lib",
	"manager", "service", "services", "models", "interfaces",
}

// namesakes are packages that share the name of a standard or foreign one on
// purpose, with the reason.
var namesakes = map[string]string{
	"internal/mail": "the operator's word for it; who needs net/mail as well is not a room that sends any",
	"cmd/liao":      "main",
}

// join gives base and more as a list of its own.
func join(base []string, more ...string) []string {
	return append(append([]string{}, base...), more...)
}
