--- Columns, words and lines of a text. Pure functions.
local M = {}

--- The length of a text in units of a position encoding.
---@param text string
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return integer
function M.units(text, encoding)
  if encoding == 'utf-8' then
    return #text
  end
  local _, characters = text:gsub('[^\128-\191]', '')
  if encoding == 'utf-32' then
    return characters
  end
  local _, pairs_of_surrogates = text:gsub('[\240-\247]', '')
  return characters + pairs_of_surrogates
end

--- The byte offset of a column, or nil if it is past the end of the line or inside a character.
---@param line string
---@param column any the value that the server sent
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return integer|nil
function M.byte_of(line, column, encoding)
  if type(column) ~= 'number' or column < 0 or column ~= math.floor(column) then
    return nil
  end
  local at, units = 0, 0
  while units < column do
    if at >= #line then
      return nil
    end
    local lead = line:byte(at + 1)
    local width = lead < 0x80 and 1 or lead < 0xE0 and 2 or lead < 0xF0 and 3 or 4
    units = units + (encoding == 'utf-8' and width or encoding == 'utf-16' and width == 4 and 2 or 1)
    at = at + width
  end
  if units ~= column or at > #line then
    return nil
  end
  return at
end

--- The bytes of the first word: leading white space, then characters of one class as in Vim's words (including Korean).
---@param text string
---@return integer
function M.first_word(text)
  local at, class = 0, nil
  while at < #text do
    local character = vim.fn.strcharpart(text:sub(at + 1, at + 4), 0, 1)
    local here = character == '\n' and 0 or vim.fn.charclass(character)
    if class and here ~= class then
      break
    end
    if here ~= 0 then
      class = here
    end
    at = at + #character
  end
  return at
end

--- The bytes of the first line. If the text begins with a line end, those of the line end and the next line.
---@param text string
---@return integer
function M.first_line(text)
  local stop = text:find('\n', 1, true)
  if stop == 1 then
    stop = text:find('\n', 2, true)
  end
  return stop and stop - 1 or #text
end

--- Replaces tabs with spaces, as they will be displayed in the buffer.
---@param text string one line
---@param column integer display column where it begins
---@param tabstop integer
---@return string
function M.expand_tabs(text, column, tabstop)
  if not text:find('\t', 1, true) then
    return text
  end
  local parts = {}
  for piece, tab in text:gmatch('([^\t]*)(\t?)') do
    parts[#parts + 1] = piece
    column = column + vim.fn.strdisplaywidth(piece, column)
    if tab ~= '' then
      local width = tabstop - column % tabstop
      parts[#parts + 1] = (' '):rep(width)
      column = column + width
    end
  end
  return table.concat(parts)
end

return M
