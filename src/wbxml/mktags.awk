# Makes the tag tables from codepages.tsv (its head says where they are from).
#   awk -v what=h -f mktags.awk codepages.tsv > tags_list.h
#   awk -v what=c -f mktags.awk codepages.tsv > tags_table.c
# Both results are kept in the repository; tests/unit/test_wbxml_tables.sh
# fails when they are not what this script makes.

BEGIN {
    FS = "\t"
    n = split("AIRSYNC CONTACTS EMAIL AIRNOTIFY CALENDAR MOVE ESTIMATE " \
        "FOLDER MEETING TASKS RESOLVE VALIDATE CONTACTS2 PING PROVISION " \
        "SEARCH GAL BASE SETTINGS DOCUMENT ITEMOPS COMPOSE EMAIL2 NOTES " \
        "RIGHTS FIND", prefix, " ")
    seen_page = -1
    if (what == "h") {
        print "/*"
        print " * Made by mktags.awk from codepages.tsv; included by tags.h only."
        print " */"
        print "#ifndef SEALPOST_WBXML_TAGS_LIST_H"
        print "#define SEALPOST_WBXML_TAGS_LIST_H"
        print ""
        print "enum wbxml_tag {"
    } else {
        print "/*"
        print " * The names of all tags by page and token, and the names of the pages."
        print " * Made by mktags.awk from codepages.tsv; read by tags.c only."
        print " */"
        print "#include \"wbxml/private.h\""
        print ""
        print "const char *const wbxml_tag_names[WBXML_PAGES][64] = {"
    }
}

function upper(s,   i, c, out, prev, nextc) {
    # "SyncKey" -> SYNC_KEY, "MIMESupport" -> MIME_SUPPORT, "UmCallerID"
    out = ""
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        prev = substr(s, i - 1, 1)
        nextc = substr(s, i + 1, 1)
        if (i > 1 && c ~ /[A-Z]/ && prev != "_" &&
            (prev ~ /[a-z0-9]/ || (nextc ~ /[a-z]/ && prev ~ /[A-Z]/)))
            out = out "_"
        out = out toupper(c)
    }
    return out
}

/^#/ || /^page\t/ || NF < 8 { next }

{
    page = $1 + 0
    namespace[page] = $2
    token = $3
    id = prefix[page + 1] "_" upper($4)
    # the same name twice: the one of the specification keeps it
    if ($7 == "legacy" && $8 == "conflict")
        id = id "_OLD"
    if (what == "h") {
        if (page != seen_page)
            printf "    /* %s */\n", $2
        printf "    %s = 0x%02X%s,\n", id, page, substr(token, 3)
    } else {
        if (page != seen_page) {
            if (seen_page >= 0)
                printf "%s\n    },\n", line
            printf "    [%d] = {\n", page
            line = ""
        }
        item = sprintf("[%s] = \"%s\",", token, $4)
        if (line != "" && length(line) + length(item) < 79) {
            line = line " " item
        } else {
            if (line != "")
                print line
            line = "        " item
        }
    }
    seen_page = page
}

END {
    if (what == "h") {
        print "};"
        print ""
        print "#endif"
    } else {
        printf "%s\n    },\n", line
        print "};"
        print ""
        print "const char *const wbxml_page_names[WBXML_PAGES] = {"
        for (i = 0; i < n; i++)
            printf "    \"%s\",\n", namespace[i]
        print "};"
    }
}
