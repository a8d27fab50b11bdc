package show

import (
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Table writes rows in columns under a head. Cells may be painted.
func (t Terminal) Table(w io.Writer, head []string, rows [][]string) {
	widths := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	line := func(row []string, style Style) {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(t.Paint(style, cell))
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	line(head, Dim)
	for _, row := range rows {
		line(row, Plain)
	}
}
