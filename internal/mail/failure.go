package mail

import (
	"errors"
	"net/textproto"

	gomail "github.com/wneessen/go-mail"
)

// failure is an error of Send that says whether the same mail may be sent again.
type failure struct {
	err       error
	temporary bool
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

// Temporary says that the mail was surely not taken and that a later try may do
// better.
func (f *failure) Temporary() bool { return f.temporary }

// dialFailure judges an error that came before any mail was offered: nothing was
// taken, and only a server that says 5xx (wrong password, say) means it for good.
func dialFailure(err error) error {
	return &failure{err: err, temporary: !refusedForGood(err)}
}

// sendFailure judges an error of offering a mail to a server.
func sendFailure(err error) error {
	var s *gomail.SendError
	if !errors.As(err, &s) {
		return &failure{err: err}
	}
	switch s.Reason {
	case gomail.ErrSMTPMailFrom, gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrConnCheck:
		// Before the content: what does not say 5xx may be tried again.
		return &failure{err: err, temporary: s.ErrorCode()/100 != 5}
	case gomail.ErrWriteContent:
		// The line that ends the content was not sent, so the server drops what it has.
		return &failure{err: err, temporary: true}
	case gomail.ErrSMTPDataClose:
		// The content was sent whole. Only an answer tells what became of it: 4xx means
		// that the server has not taken it; without an answer it may well have.
		return &failure{err: err, temporary: s.ErrorCode()/100 == 4}
	case gomail.ErrGetSender, gomail.ErrGetRcpts, gomail.ErrSMTPReset, gomail.ErrNoUnencoded, gomail.ErrAmbiguous:
		return &failure{err: err}
	}
	return &failure{err: err}
}

func refusedForGood(err error) bool {
	var p *textproto.Error
	return errors.As(err, &p) && p.Code/100 == 5
}
