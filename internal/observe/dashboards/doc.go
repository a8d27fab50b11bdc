// Package dashboards keeps the dashboards of accounts (CloudWatch): texts that say which graphs a page shows. They are drawn by whoever reads
// them; here it is only known whether a text can be one.
package dashboards
