package im

import "time"

// Purpose says what a code sent by e-mail proves an address for.
type Purpose string

const (
	Register Purpose = "register"
	Reset    Purpose = "reset"
)

// CodeRequest asks verify to send a code.
type CodeRequest struct {
	Purpose Purpose
	Email   string // as CheckEmail returned it
	Known   bool   // whether an account has this address; changes the mail, never the answer
	IP      string // what limits by address count: an IPv4 address or an IPv6 /64; empty: exempt
	From    string // who asks, for the audit log
	Lang    string // "en" or "zh"
}

// CodeIssued is the answer to a CodeRequest, the same for known and unknown addresses.
type CodeIssued struct {
	Request string // names this code when it comes back
	Expires time.Duration
	Resend  time.Duration // until another may be asked for
}

// CodeCheck is a code that came back.
type CodeCheck struct {
	Request string
	Purpose Purpose
	Email   string
	Code    string
}

// NewCode is what the store keeps of a code.
type NewCode struct {
	Request string
	Purpose Purpose
	Email   string
	IP      string
	MAC     [32]byte // HMAC-SHA256 over request, purpose, address and code
	Expires time.Duration
	Limits  CodeLimits
}

// CodeLimits bound how often codes are sent; 0 is no limit.
type CodeLimits struct {
	EmailMinute int // to one address
	EmailHour   int
	EmailDay    int
	EmailOpen   int // requests of one address that are neither used nor expired nor dead
	IPHour      int // from one IP
}

// StoredCode is a code as a try finds it; the try is already counted.
type StoredCode struct {
	Purpose Purpose
	Email   string
	MAC     [32]byte
}

// NoticeKind names a mail that tells the owner of an account what happened to it.
type NoticeKind string

const (
	NoticePasswordReset NoticeKind = "password_reset"
	NoticeNewDevice     NoticeKind = "new_device"
)

// Notice is a mail to the owner of an account.
type Notice struct {
	Kind   NoticeKind
	Email  string
	Lang   string
	Device Device
	At     Millis
}
