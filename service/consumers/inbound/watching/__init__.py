"""An integration that only watches: what it reads is judged as ever, and nothing of it carried out."""
