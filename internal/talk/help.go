package talk

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// help prints what --help promises to scripts.
func help(w io.Writer, fs *flag.FlagSet) {
	var b strings.Builder
	b.WriteString(`Usage: liao talk [flags] [COMMAND]

Talks with a liao server, one line at a time. A line is a command, "@HANDLE TEXT",
or a text for the conversation that is open. With a COMMAND it does that alone.

Flags:
`)
	fs.SetOutput(&b)
	fs.PrintDefaults()
	b.WriteString("\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-30s %s\n", strings.TrimSpace("/"+c.name+" "+c.args), c.brief)
	}
	b.WriteString(`
Scripts. If standard input is no terminal, each of its lines is run after the one
before has ended, with a line "ok /COMMAND" or "error /COMMAND: CODE: TEXT". The
first error ends the run with exit code 1, unless --keep-going. A line that begins
with ! must fail ("! /add @ann"), "!forbidden /say hi" must fail with that code;
# begins a comment. Questions are printed as "ask ..." and answered by the next
line; passwords by LIAO_TALK_PASSWORD and LIAO_TALK_NEW_PASSWORD if they are set. To
the question for a code the line "outbox" answers with the newest mail of a server
that sends none. At the end unsent messages have 5 s left.

Every line of output begins with a word that says what it is:
  user @HANDLE NAME #ID                contact @HANDLE NAME (REMARK) on line
  asked @HANDLE: GREETING              blocked @HANDLE
  entry @HANDLE SEQ: TEXT              device NUMBER NAME (PLATFORM) TIME
  me @HANDLE NAME #ID BIO              status, outbox, help, note TEXT
and for what happens by itself:
  message @HANDLE SEQ: TEXT            notice @HANDLE SEQ: TEXT
  sent @HANDLE SEQ: TEXT               failed @HANDLE: CODE: TEXT
  request @HANDLE: GREETING            friend @HANDLE
  unread @HANDLE COUNT                 waiting COUNT
  read @HANDLE SEQ                     typing @HANDLE
  online @HANDLE                       offline @HANDLE
  connected @HANDLE                    ready
  disconnected                         ended REASON
  login TEXT                           forgotten
"/wait message @ben hello 5s" waits for a line with these words in this order that no
/wait has passed yet. A line feed in a text is printed as \n, and control characters
as U+FFFD.
`)
	_, _ = io.WriteString(w, b.String())
}
