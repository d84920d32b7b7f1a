module sidespan.test/gohttp

go 1.21
