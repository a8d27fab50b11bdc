package observe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// objects is where a trail writes: whole objects under names with slashes. One is durable when put returns, and replaces what had
// its name.
type objects interface {
	put(ctx context.Context, name string, body []byte) error
}

// S3 is an object store that speaks Amazon's S3 protocol. All but Token and Client are required.
type S3 struct {
	Endpoint      string // for example https://s3.example.com; buckets are the first part of the path below it
	Region        string
	KeyID, Secret string
	Token         string       // of temporary credentials
	Client        *http.Client // default http.DefaultTransport with a time limit of 30 s
	Now           func() time.Time
}

// bucketOf opens the bucket of a trail. close must be called.
func (a *Audit) bucketOf(t Trail) (o objects, closed func() error, err error) {
	if a.conf.S3 != nil {
		return s3Bucket{a.conf.S3, t.Bucket}, func() error { return nil }, nil
	}
	dir := filepath.Join(a.conf.TrailDir, t.Bucket)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	return directory{root}, root.Close, nil
}

// directory keeps objects as files.
type directory struct{ root *os.Root }

func (d directory) put(_ context.Context, name string, body []byte) error {
	dir := path.Dir(name)
	if err := d.root.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp := path.Join(dir, "."+path.Base(name)+".part")
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := d.root.Rename(temp, name); err != nil {
		return err
	}
	return d.syncDirs(dir)
}

// syncDirs makes the names of a file and of the directories it is in durable.
func (d directory) syncDirs(dir string) error {
	parts := strings.Split(dir, "/")
	for n := len(parts); n >= 0; n-- {
		f, err := d.root.Open(path.Join(slices.Concat([]string{"."}, parts[:n])...))
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// s3Bucket keeps objects in a bucket.
type s3Bucket struct {
	*S3
	name string
}

// put uploads an object. A store that answers 200 has it (S3's PutObject).
func (b s3Bucket) put(ctx context.Context, name string, body []byte) error {
	at, err := url.Parse(strings.TrimSuffix(b.Endpoint, "/"))
	if err != nil {
		return fmt.Errorf("address of the object store: %w", err)
	}
	at = at.JoinPath(b.name, name)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, at.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("X-Amz-Content-Sha256", hash)
	now := time.Now
	if b.Now != nil {
		now = b.Now
	}
	cred := aws.Credentials{AccessKeyID: b.KeyID, SecretAccessKey: b.Secret, SessionToken: b.Token}
	err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(ctx, cred, req, hash, "s3", b.Region, now())
	if err != nil {
		return fmt.Errorf("sign a request to the object store: %w", err)
	}
	res, err := b.client().Do(req)
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	defer res.Body.Close()
	return b.answer(res, name)
}

func (b s3Bucket) client() *http.Client {
	if b.Client != nil {
		return b.Client
	}
	return &http.Client{Timeout: 30 * time.Second}
}

// answer reads what a store said of an upload. S3's errors have a code that users can look up, such as NoSuchBucket.
func (b s3Bucket) answer(res *http.Response, name string) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	if res.StatusCode == http.StatusOK {
		return nil
	}
	var fault struct{ Code, Message string }
	if xml.Unmarshal(text, &fault) != nil {
		fault.Message = http.StatusText(res.StatusCode)
	}
	return fmt.Errorf("put %s into the bucket %s: %s: %s", name, b.name, cmp.Or(fault.Code, res.Status), fault.Message)
}
