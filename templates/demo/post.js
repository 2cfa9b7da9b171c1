document.getElementById("post").submit();
