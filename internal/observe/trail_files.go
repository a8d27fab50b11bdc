package observe

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

const (
	// deliverEvery is how often trails write what has come.
	deliverEvery = 5 * time.Second
	// maxDelivered is how many records one round of a trail takes.
	maxDelivered = 5000
)

// RunTrails writes the files of trails until ctx ends.
func (a *Audit) RunTrails(ctx context.Context) error {
	tick := time.NewTicker(deliverEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := a.Deliver(ctx); err != nil && ctx.Err() == nil {
			a.conf.Log.Error("write the files of trails; they are tried again", "error", err)
		}
	}
}

// Deliver lets every trail write what it has not written yet. Files are written before the trail's place moves on, under names
// that follow from their first record: what a crash interrupts is written again to the same files, so nothing is lost and nothing
// is there twice.
func (a *Audit) Deliver(ctx context.Context) error {
	type todo struct {
		Trail
		delivered int64
	}
	var list []todo
	err := a.conf.DB.View(ctx, func(tx *store.Tx) error {
		end := chain{}
		if err := end.read(tx, chainEnd); err != nil {
			return err
		}
		return eachTrail(tx, func(t Trail, delivered int64) error {
			if t.Logging && delivered < end.seq || !t.Logging && delivered < t.Until {
				list = append(list, todo{t, delivered})
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range list {
		errs = append(errs, a.deliver(ctx, t.Trail, t.delivered))
	}
	return errors.Join(errs...)
}

// written is one record on its way to a file.
type written struct {
	seq    int64
	at     time.Time
	region string
	text   json.RawMessage
}

func (a *Audit) deliver(ctx context.Context, t Trail, delivered int64) error {
	for {
		records, upTo, more, err := a.undelivered(ctx, t, delivered)
		if err != nil {
			return err
		}
		digest, err := a.writeFiles(ctx, t, records)
		if merr := a.moveOn(ctx, t, delivered, upTo, len(records) > 0, digest, err); err != nil || merr != nil {
			return errors.Join(err, merr)
		}
		if delivered = upTo; !more {
			return nil
		}
	}
}

// undelivered reads the next records that a trail wants, and the number of the last one it looked at.
func (a *Audit) undelivered(ctx context.Context, t Trail, after int64) (records []written, upTo int64, more bool, err error) {
	err = a.conf.DB.View(ctx, func(tx *store.Tx) error {
		end, looked := chain{}, 0
		if err := end.read(tx, chainEnd); err != nil {
			return err
		}
		upTo = end.seq
		if !t.Logging {
			upTo = t.Until
		}
		err := tx.Each(`SELECT seq, time, region, event_source, read_only, record FROM audit_records
			WHERE seq > $1 AND seq <= $2 AND account = $3 ORDER BY seq LIMIT $4`, []any{after, upTo, t.Account, maxDelivered}, func(row store.Row) error {
			var w written
			var at int64
			var source, readOnly, text string
			if err := row.Scan(&w.seq, &at, &w.region, &source, &readOnly, &text); err != nil {
				return err
			}
			w.at, w.text = store.Time(at), json.RawMessage(text)
			if looked++; looked == maxDelivered {
				upTo, more = w.seq, true
			}
			if t.wants(w.region, source, readOnly == "true") {
				records = append(records, w)
			}
			return nil
		})
		return err
	})
	return records, upTo, more, err
}

// moveOn notes how far a trail has come, or what keeps it.
func (a *Audit) moveOn(ctx context.Context, t Trail, from, upTo int64, wrote bool, digest TrailDigest, failure error) error {
	now := a.conf.Now().UTC()
	return a.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		present, delivered, err := findTrail(tx, t.Scope, t.ARN())
		if apprunner.CodeOf(err) == CodeTrailNotFound || err == nil && delivered != from {
			return nil // deleted, or made again, in between
		}
		if err != nil {
			return err
		}
		switch {
		case failure != nil:
			present.LastAttempt, present.LastError = now, failure.Error()
			return putTrail(tx, present, delivered)
		case wrote:
			present.LastAttempt, present.LastDelivery, present.LastError = now, now, ""
			if digest.Object != "" {
				present.LastDigest = digest
			}
		}
		return putTrail(tx, present, upTo)
	})
}

// writeFiles writes records, a file for each region and day, and then the digest of the files.
func (a *Audit) writeFiles(ctx context.Context, t Trail, records []written) (d TrailDigest, err error) {
	if len(records) == 0 {
		return TrailDigest{}, nil
	}
	bucket, closed, err := a.bucketOf(t)
	if err != nil {
		return TrailDigest{}, fmt.Errorf("trail %s: %w", t.Name, err)
	}
	defer func() { err = errors.Join(err, closed()) }()
	var files []digestFile
	for _, group := range byRegionAndDay(records) {
		f, err := t.writeFile(ctx, bucket, group)
		if err != nil {
			return TrailDigest{}, fmt.Errorf("trail %s: %w", t.Name, err)
		}
		files = append(files, f)
	}
	if !t.Validate {
		return TrailDigest{}, nil
	}
	return t.writeDigest(ctx, bucket, files, records)
}

// byRegionAndDay keeps the order of the records in each group, and the groups in the order of their first.
func byRegionAndDay(records []written) (groups [][]written) {
	place := map[string]int{}
	for _, r := range records {
		key := r.region + r.at.UTC().Format(time.DateOnly)
		n, known := place[key]
		if !known {
			n = len(groups)
			place[key] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], r)
	}
	return groups
}

// object is the path of a file below the bucket.
func (t Trail) object(kind, region string, at time.Time, name string) string {
	at = at.UTC()
	return path.Join(t.Prefix, "AWSLogs", t.Account, kind, region, at.Format("2006/01/02"), t.Account+"_"+kind+"_"+region+"_"+name+".json.gz")
}

func (t Trail) writeFile(ctx context.Context, bucket objects, records []written) (digestFile, error) {
	first := records[0]
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", t.ARN(), first.seq))
	name := t.object("CloudTrail", first.region, first.at, first.at.UTC().Format("20060102T1504Z")+"_"+hex.EncodeToString(sum[:8]))
	texts := make([]json.RawMessage, len(records))
	for i, r := range records {
		texts[i] = r.text
	}
	hash, err := putGzip(ctx, bucket, name, map[string]any{"Records": texts})
	return digestFile{
		Bucket: t.Bucket, Object: name, Hash: hash, Algorithm: "SHA-256",
		Oldest: first.at.UTC().Format(time.RFC3339), Newest: records[len(records)-1].at.UTC().Format(time.RFC3339),
	}, err
}

// digest is a file that tells the hashes of others, and of the digest before it (in the manner of CloudTrail's, but not signed).
type digest struct {
	Account  string       `json:"awsAccountId"`
	Start    string       `json:"digestStartTime"`
	End      string       `json:"digestEndTime"`
	Bucket   string       `json:"digestS3Bucket"`
	Object   string       `json:"digestS3Object"`
	Previous *string      `json:"previousDigestS3Object"`
	Hash     *string      `json:"previousDigestHashValue"`
	Method   string       `json:"previousDigestHashAlgorithm"`
	Files    []digestFile `json:"logFiles"`
}

type digestFile struct {
	Bucket    string `json:"s3Bucket"`
	Object    string `json:"s3Object"`
	Hash      string `json:"hashValue"`
	Algorithm string `json:"hashAlgorithm"`
	Newest    string `json:"newestEventTime"`
	Oldest    string `json:"oldestEventTime"`
}

func (t Trail) writeDigest(ctx context.Context, bucket objects, files []digestFile, records []written) (TrailDigest, error) {
	oldest, newest := records[0].at, records[0].at
	for _, r := range records {
		if r.at.Before(oldest) {
			oldest = r.at
		}
		if r.at.After(newest) {
			newest = r.at
		}
	}
	first := records[0]
	name := t.object("CloudTrail-Digest", t.Region, first.at, fmt.Sprintf("%s_%s_%s_%d", t.Name, t.Region, first.at.UTC().Format("20060102T150405Z"), first.seq))
	d := digest{
		Account: t.Account, Start: oldest.UTC().Format(time.RFC3339), End: newest.UTC().Format(time.RFC3339), Bucket: t.Bucket, Object: name, Method: "SHA-256", Files: files,
	}
	if t.LastDigest.Object != "" {
		d.Previous, d.Hash = &t.LastDigest.Object, &t.LastDigest.Hash
	}
	hash, err := putGzip(ctx, bucket, name, d)
	if err != nil {
		return TrailDigest{}, fmt.Errorf("trail %s: %w", t.Name, err)
	}
	return TrailDigest{Object: name, Hash: hash, At: newest}, nil
}

// putGzip writes a value as compressed JSON and returns the hash of the object.
func putGzip(ctx context.Context, bucket objects, name string, v any) (hash string, err error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := errors.Join(json.NewEncoder(z).Encode(v), z.Close()); err != nil {
		return "", err
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:]), bucket.put(ctx, name, b.Bytes())
}
