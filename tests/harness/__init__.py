"""What the black-box tests drive Linkspan with: the server, a browser without JavaScript, a foreign SP, XML tools."""
