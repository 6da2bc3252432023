// Command debian builds the Debian package that .goreleaser.yaml describes, of a program that is there. GoReleaser makes the
// same one of the same words; this does so without all the rest of a release.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

func main() {
	from := flag.String("config", ".goreleaser.yaml", "the file that describes the package")
	version := flag.String("version", "", "the version of the program")
	arch := flag.String("arch", "amd64", "Go's name of the architecture")
	binary := flag.String("binary", "", "the program")
	since := flag.Int64("time", 0, "the time of all that is in the package, in seconds since 1970")
	to := flag.String("to", ".", "the folder of the package")
	flag.Parse()
	path, err := build(*from, *version, *arch, *binary, time.Unix(*since, 0).UTC(), *to)
	if err != nil {
		fmt.Fprintln(os.Stderr, "debian:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

func build(from, version, arch, binary string, at time.Time, to string) (string, error) {
	project, err := config.Load(from) // a name that it does not know is an error
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", from, err)
	}
	if len(project.NFPMs) != 1 {
		return "", fmt.Errorf("%s describes %d packages, and not one", from, len(project.NFPMs))
	}
	info, err := describe(project.NFPMs[0], project.ProjectName, binary, at)
	if err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	info.Version, info.Arch = version, arch
	if arch == "amd64" {
		info.Deb.ArchVariant = "v1" // Go's GOAMD64, for every processor of this kind
	}
	nfpm.WithDefaults(info)
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		return "", err
	}
	path := filepath.Join(to, deb.Default.ConventionalFileName(info))
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	if err := deb.Default.Package(info, file); err != nil {
		file.Close()
		return "", err
	}
	return path, file.Close()
}

// describe turns GoReleaser's words into nFPM's. What it does not know is refused: the package would differ from the release's.
func describe(said config.NFPM, program, binary string, at time.Time) (*nfpm.Info, error) {
	known := config.NFPM{Formats: said.Formats, Maintainer: said.Maintainer, Homepage: said.Homepage, License: said.License, Section: said.Section,
		Priority: said.Priority, Description: said.Description, MTime: said.MTime,
		NFPMOverridables: config.NFPMOverridables{FileNameTemplate: "{{ .ConventionalFileName }}", PackageName: said.PackageName, Dependencies: said.Dependencies, Suggests: said.Suggests,
			Scripts: said.Scripts, Contents: said.Contents}}
	if !reflect.DeepEqual(said, known) || said.MTime != "{{ .CommitDate }}" {
		return nil, fmt.Errorf("nfpms says something that debian/main.go does not know")
	}
	info := &nfpm.Info{Name: said.PackageName, Platform: "linux", Section: said.Section, Priority: said.Priority, Maintainer: said.Maintainer,
		Description: said.Description, Homepage: said.Homepage, License: said.License, MTime: at}
	info.Depends, info.Suggests = said.Dependencies, said.Suggests
	info.Scripts = nfpm.Scripts{PreInstall: said.Scripts.PreInstall, PostInstall: said.Scripts.PostInstall,
		PreRemove: said.Scripts.PreRemove, PostRemove: said.Scripts.PostRemove}
	for _, c := range said.Contents {
		if strings.Contains(c.Source+c.Destination, "{{") {
			return nil, fmt.Errorf("nfpms has a template in %s", c.Destination)
		}
		info.Contents = append(info.Contents, &files.Content{Source: c.Source, Destination: c.Destination, Type: c.Type,
			FileInfo: &files.ContentFileInfo{Mode: c.FileInfo.Mode}})
	}
	info.Contents = append(info.Contents, &files.Content{Source: binary, Destination: "/usr/bin/" + program,
		FileInfo: &files.ContentFileInfo{Mode: 0o755, MTime: at}})
	return info, nil
}
