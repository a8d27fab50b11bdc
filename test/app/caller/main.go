// Command caller is an application that calls AWS as applications do: with the stock SDK, which finds its credentials and the
// address of the APIs by itself. GET /caller tells who it is and what it may do.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

func main() {
	http.HandleFunc("GET /", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("GET /caller", func(w http.ResponseWriter, r *http.Request) {
		answer, err := call(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil)) //nolint:gosec // a test
}

// call asks three APIs and returns the caller's ARN and what the other two said: "ok" or an error code.
func call(ctx context.Context) (map[string]string, error) {
	conf, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	who, err := sts.NewFromConfig(conf).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, err
	}
	_, services := apprunner.NewFromConfig(conf).ListServices(ctx, &apprunner.ListServicesInput{})
	_, users := iam.NewFromConfig(conf).ListUsers(ctx, &iam.ListUsersInput{})
	return map[string]string{"Arn": *who.Arn, "ListServices": outcome(services), "ListUsers": outcome(users)}, nil
}

func outcome(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return err.Error()
}
