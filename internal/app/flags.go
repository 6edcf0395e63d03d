package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/liao-im/liao/internal/config"
)

// flags is a subcommand's flag set: its own flags, and every key of the
// configuration.
type flags struct {
	*flag.FlagSet
	own    map[string]bool
	loader *config.Loader // nil if the command has no configuration
}

// newFlags returns a flag set to which own adds the subcommand's flags; text
// says how it is used and what it does.
func newFlags(name, text string, std Streams, own func(fs *flag.FlagSet)) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	if own != nil {
		own(f.FlagSet)
	}
	f.describe(text, std)
	f.loader = config.NewLoader(f.FlagSet)
	return f
}

// describe sets what --help prints. The flags that are there already are the
// subcommand's own.
func (f *flags) describe(text string, std Streams) {
	f.own = map[string]bool{}
	f.VisitAll(func(g *flag.Flag) { f.own[g.Name] = true })
	f.SetOutput(io.Discard) // errors are printed once, by Main
	f.Usage = func() { f.help(std.Out, text) }
}

// parse reads flags wherever they stand among the operands and returns the operands.
func (f *flags) parse(args []string) ([]string, error) {
	var operands []string
	for {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError(err.Error())
		}
		if f.NArg() == 0 {
			return operands, nil
		}
		operands = append(operands, f.Arg(0))
		args = f.Args()[1:]
	}
}

// load is parse for a command without operands, and then the configuration.
func (f *flags) load(std Streams, args []string) (*config.Effective, error) {
	operands, err := f.parse(args)
	if err != nil {
		return nil, err
	}
	if len(operands) > 0 {
		return nil, usageError(fmt.Sprintf("%q is one argument too many", operands[0]))
	}
	return f.loader.Load(std.Environ)
}

// help prints the command's own flags and the short ones of the configuration in
// full, and names where the rest is.
func (f *flags) help(w io.Writer, text string) {
	var b strings.Builder
	b.WriteString(text + "\n\nFlags:\n")
	f.VisitAll(func(g *flag.Flag) {
		if !f.own[g.Name] && strings.Contains(g.Name, ".") {
			return
		}
		arg, help := flag.UnquoteUsage(g)
		fmt.Fprintf(&b, "  --%-22s %s", strings.TrimSpace(g.Name+" "+arg), help)
		if g.DefValue != "" && g.DefValue != "false" {
			fmt.Fprintf(&b, " (default %s)", g.DefValue)
		}
		b.WriteString("\n")
	})
	if f.loader != nil {
		b.WriteString("\nEvery other key of the configuration is a flag as well, such as --limits.sends_per_second 50;\n`liao config` lists them all.\n")
	}
	_, _ = io.WriteString(w, b.String())
}
