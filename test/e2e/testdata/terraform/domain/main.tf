# A custom domain of a service as short as one can be.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

variable "image" {
  type    = string
  default = "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:v1"
}

variable "role" {
  type    = string
  default = "arn:aws:iam::123456789012:role/service-role/AppRunnerECRAccessRole"
}

variable "domain" {
  type    = string
  default = "shop.example.com"
}

# as short as a service can be
resource "aws_apprunner_service" "shop" {
  service_name = "tf-shop"
  source_configuration {
    authentication_configuration {
      access_role_arn = var.role
    }
    image_repository {
      image_identifier      = var.image
      image_repository_type = "ECR"
    }
  }
}

resource "aws_apprunner_custom_domain_association" "shop" {
  domain_name          = var.domain
  service_arn          = aws_apprunner_service.shop.arn
  enable_www_subdomain = false
}

output "records" {
  value = aws_apprunner_custom_domain_association.shop.certificate_validation_records
}

output "target" {
  value = aws_apprunner_custom_domain_association.shop.dns_target
}

# the default of the account, which Terraform does not take back
resource "aws_apprunner_auto_scaling_configuration_version" "house" {
  auto_scaling_configuration_name = "tf-house"
}

resource "aws_apprunner_default_auto_scaling_configuration_version" "house" {
  auto_scaling_configuration_arn = var.default == "" ? aws_apprunner_auto_scaling_configuration_version.house.arn : var.default
}

variable "default" {
  type    = string
  default = ""
}

resource "aws_apprunner_deployment" "once" {
  service_arn = aws_apprunner_service.shop.arn

  # while a deployment runs, domains cannot be associated
  depends_on = [aws_apprunner_custom_domain_association.shop]
}
