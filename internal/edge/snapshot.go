package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The table is kept on disk so that an edge serves before control says anything. It holds private keys: mode 0600.
const snapshotName = "table.json"

// saveTable writes t durably, replacing what was there in one step.
func saveTable(dir string, t Table) error {
	data, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode table: %w", err)
	}
	if err := replaceFile(dir, snapshotName, data); err != nil {
		return fmt.Errorf("save table: %w", err)
	}
	return nil
}

// replaceFile writes a file of mode 0600 durably, replacing what was there in one step.
func replaceFile(dir, name string, data []byte) error {
	f, err := os.CreateTemp(dir, name+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing to remove once renamed
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err == nil {
		err = syncDir(dir)
	}
	return err
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// loadTable reads the table saved last; false when there is none.
func loadTable(dir string) (Table, bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, snapshotName))
	if errors.Is(err, fs.ErrNotExist) {
		return Table{}, false, nil
	}
	if err != nil {
		return Table{}, false, fmt.Errorf("load table: %w", err)
	}
	var t Table
	if err := json.Unmarshal(data, &t); err != nil {
		return Table{}, false, fmt.Errorf("load table: %w", err)
	}
	return t, true, nil
}
