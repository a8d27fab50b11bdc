package network

import (
	"slices"
	"strings"
)

// Zone is one part of a region.
type Zone struct{ Name, ID string }

// zoneLetters are those of the zones that every region has here.
const zoneLetters = "abc"

// Zones are the zones of a region: us-east-1a is use1-az1, and so on.
func Zones(region string) []Zone {
	list := make([]Zone, len(zoneLetters))
	for i, letter := range zoneLetters {
		list[i] = Zone{Name: region + string(letter), ID: shortRegion(region) + "-az" + string(rune('1'+i))}
	}
	return list
}

// shortRegion is a region as ids of zones spell it: us-east-1 becomes use1.
func shortRegion(region string) string {
	var b strings.Builder
	for i, part := range strings.Split(region, "-") {
		b.WriteString(shortPart(part, i == 0))
	}
	return b.String()
}

var compass = map[string]string{
	"north": "n", "south": "s", "east": "e", "west": "w", "central": "c", "gov": "g",
	"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw",
}

func shortPart(part string, first bool) string {
	if short := compass[part]; short != "" && !first {
		return short
	}
	return part
}

// ZoneID is the id of a zone by its name.
func ZoneID(region, name string) string {
	for _, z := range Zones(region) {
		if z.Name == name {
			return z.ID
		}
	}
	return ""
}

// zone finds the zone that a request names by name or by id; the one with the fewest of these subnets, where it names none.
func zone(region, name, id string, present []Subnet) (string, error) {
	zones := Zones(region)
	names := make([]string, len(zones))
	for i, z := range zones {
		names[i] = z.Name
		if z.ID == id && (name == "" || name == z.Name) {
			return z.Name, nil
		}
	}
	switch {
	case id != "":
		return "", wrong("availabilityZoneId", id, "The zones of this region are "+strings.Join(names, ", ")+".")
	case name == "":
		return emptiest(names, present), nil
	case !slices.Contains(names, name):
		return "", wrong("availabilityZone", name, "Subnets can currently only be created in the following availability zones: "+strings.Join(names, ", ")+".")
	}
	return name, nil
}

func emptiest(names []string, present []Subnet) string {
	count := map[string]int{}
	for _, s := range present {
		count[s.Zone]++
	}
	return slices.MinFunc(names, func(a, b string) int { return count[a] - count[b] })
}
